import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { waitFor } from '../../src/system/clock.ts';
import { mount, unmountTree } from '../../src/system/mounts.ts';
import { processesWorkingOn } from '../../src/system/procfs.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';

/** A shell that counts, with text of `bytes` random bytes in its memory, which does not compress to nothing. */
const counter = (bytes: number): string[] => [
  'run',
  '-d',
  '--name',
  'c',
  'localhost/busybox:latest',
  'sh',
  '-c',
  `x=$(head -c ${bytes} /dev/urandom | base64); i=0; while true; do i=$((i+1)); echo $i > /count; sleep 0.05; done`,
];

async function counted(box: Sandbox, above = 0): Promise<number> {
  const found = await waitFor(async () => {
    const { stdout } = await box.cryopod(['exec', 'c', 'cat', '/count']);
    return Number(stdout) > above ? Number(stdout) : undefined;
  }, LIMIT_MS);
  assert.ok(found !== undefined, `it counts on, above ${above}`);
  return found;
}

/** Nothing of the attempt is left beside the target or the container, which has lost nothing and counts on. */
async function assertGoesOn(box: Sandbox, before: number, directory?: string): Promise<void> {
  if (directory !== undefined) assert.deepEqual(await readdir(directory), []);
  const files = await readdir(join(box.root, 'containers'), { recursive: true });
  assert.deepEqual(
    files.filter((name) => name.includes('.tmp-')),
    [],
  );
  assert.equal(
    await box.ok(['inspect', '--format', '{{.State.Status}}:{{.State.Checkpointed}}', 'c']),
    'running:false',
  );
  await counted(box, await counted(box, before - 1));
}

test('an export to a full file system leaves no archive, and the container goes on', async () => {
  await withSandbox(async (box) => {
    const small = join(box.directory, 'small');
    await mkdir(small);
    await mount('tmpfs', 'tmpfs', small, ['size=2m', 'mode=700']);
    try {
      await box.ok(counter(8_000_000));
      const before = await counted(box);
      const { code, stderr } = await box.cryopod([
        'container',
        'checkpoint',
        '-e',
        join(small, 'c.tar.zst'),
        'c',
      ]);
      assert.equal(code, 125);
      assert.match(stderr, /its file system is full after \d+ bytes/);
      assert.match(stderr, /goes on running/);
      await assertGoesOn(box, before, small);
    } finally {
      await unmountTree(small);
    }
  });
});

test('an export into a directory that is not there is refused before anything is frozen', async () => {
  await withSandbox(async (box) => {
    await box.ok(counter(1000));
    const before = await counted(box);
    const path = join(box.directory, 'missing', 'c.tar.zst');
    // The process would die where the container is frozen.
    const { code, stderr } = await box.cryopod(['container', 'checkpoint', '-e', path, 'c'], {
      CRYOPOD_FAULT: 'export.frozen:kill',
    });
    assert.equal(code, 125);
    assert.match(stderr, /no such file or directory/i);
    assert.match(stderr, /^Hint: Create the directory/m);
    await assertGoesOn(box, before);
  });
});

test('a reader that ends early fails the export, and the container goes on', async () => {
  await withSandbox(async (box) => {
    await box.ok(counter(8_000_000));
    const before = await counted(box);
    const command = box.start(['container', 'checkpoint', '-e', '-', 'c']);
    const reader = spawn('head', ['-c', '1000'], { stdio: ['pipe', 'ignore', 'inherit'] });
    let said = '';
    command.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    // Where nothing was being written when it ended, its end is all that tells.
    reader.stdin.on('error', () => command.stdout?.destroy());
    reader.once('exit', () => command.stdout?.destroy());
    command.stdout?.pipe(reader.stdin);
    const [code] = await once(command, 'close');
    assert.equal(code, 125, said);
    assert.match(said, /standard output/);
    assert.match(said, /goes on running/);
    await assertGoesOn(box, before);
  });
});

test('a compressor that is killed fails the export, and the container goes on', async () => {
  await withSandbox(async (box) => {
    const out = join(box.directory, 'out');
    await mkdir(out);
    await box.ok(counter(40_000_000));
    const before = await counted(box);
    const command = box.start(['container', 'checkpoint', '-e', join(out, 'c.tar.zst'), 'c']);
    let said = '';
    command.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const ended = once(command, 'close');
    const zstd = await waitFor(() => processesWorkingOn(out, /^zstd$/)[0], LIMIT_MS);
    assert.ok(zstd !== undefined, 'zstd is at work');
    process.kill(zstd.pid, 'SIGKILL');
    const [code] = await ended;
    assert.equal(code, 125, said);
    assert.match(said, /zstd/);
    assert.match(said, /goes on running/);
    await assertGoesOn(box, before, out);
  });
});
