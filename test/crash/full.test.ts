import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { waitFor } from '../../src/system/clock.ts';
import { unmountTree } from '../../src/system/mounts.ts';
import { run, runOk } from '../../src/system/process.ts';
import { processesWorkingOn } from '../../src/system/procfs.ts';
import { freeBytes } from '../../src/system/space.ts';
import { stagingDirectory } from '../../src/system/store-paths.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { leftovers, unfinished } from './support.ts';

const MIB = 1 << 20;
const IMAGE = 'localhost/busybox:latest';
const COUNT = 'i=0; while true; do i=$((i+1)); echo $i > /dev/shm/count; sleep 0.05; done';
/** Memory of `mib` MiB that does not compress. */
const hog = (mib: number): string => `x=$(head -c ${mib * MIB * 0.7} /dev/urandom | base64); ${COUNT}`;

/** A directory that is a file system of its own, of `mib` MiB. */
interface SmallDisk {
  readonly path: string;
  /** Takes all that is free. */
  readonly fill: () => Promise<void>;
  readonly empty: () => Promise<void>;
}

/** A real ext4, as a store has, in a file. */
async function withSmallDisk(
  box: Sandbox,
  mib: number,
  work: (disk: SmallDisk) => Promise<void>,
): Promise<void> {
  const path = join(box.directory, `disk-${mib}`);
  const image = `${path}.img`;
  await mkdir(path);
  await runOk(['truncate', `--size=${mib}M`, image], 'make a disk');
  await runOk(['mkfs.ext4', '-q', '-F', '-m', '0', image], 'make a file system');
  await runOk(['mount', '-o', 'loop', image, path], 'mount it');
  const filler = join(path, 'filler');
  try {
    await work({
      path,
      fill: async () => {
        // At once, as far as it goes, and then the rest, since the file system needs a little for itself.
        const left = await freeBytes(path);
        await run(['fallocate', '--length', String(Math.max(left - MIB, 1)), filler]);
        await run(['sh', '-c', 'cat /dev/zero >> "$1"', 'fill', filler]);
      },
      empty: () => rm(filler, { force: true }),
    });
  } finally {
    await unmountTree(path);
  }
}

/** The sandbox's cryopod with its store on another disk. */
function storeOn(box: Sandbox, { path }: SmallDisk): Sandbox {
  const root = join(path, 'root');
  const globals = ['--root', root];
  return {
    ...box,
    root,
    argv: [...box.argv, ...globals],
    cryopod: (args, env, input) => box.cryopod([...globals, ...args], env, input),
    ok: (args) => box.ok([...globals, ...args]),
    start: (args) => box.start([...globals, ...args]),
  };
}

const statusOf = (box: Sandbox, name: string): Promise<string> =>
  box.ok(['inspect', '--format', '{{.State.Status}}:{{.State.Checkpointed}}', name]);

async function assertCounts(box: Sandbox, name: string): Promise<void> {
  const script = 'until read n < /dev/shm/count && test -n "$n"; do sleep 0.05; done 2>/dev/null; echo $n';
  const count = async (): Promise<number> => Number(await box.ok(['exec', name, 'sh', '-c', script]));
  const first = await count();
  assert.ok(await waitFor(async () => (await count()) > first, LIMIT_MS), `${name} counts on`);
}

const start = (box: Sandbox, name: string, program: string): Promise<string> =>
  box.ok(['run', '-d', '--name', name, '--network', 'none', IMAGE, 'sh', '-c', program]);

test('on a full disk containers can still be listed, stopped, started and removed, which makes room', async () => {
  await withSandbox(async (outer) => {
    await withSmallDisk(outer, 160, async (disk) => {
      const box = storeOn(outer, disk);
      await box.ok(['import', '--quiet', box.archive, IMAGE]);
      await start(box, 'a', COUNT);
      await start(box, 'b', COUNT);
      await disk.fill();
      assert.match(await box.ok(['ps', '--format', '{{.Names}}']), /^b\na$|^a\nb$/);
      const refused = await box.cryopod(['container', 'checkpoint', 'a']);
      assert.equal(refused.code, 125);
      assert.match(
        refused.stderr,
        /^Error: cannot checkpoint a: .*free; it goes on running\nHint: Free some space/m,
      );
      await assertCounts(box, 'a');
      await box.ok(['stop', '--time', '0', 'a']);
      await box.ok(['start', 'a']);
      await box.ok(['rm', '--force', '--time', '0', 'a', 'b']);
      await disk.empty();
      await start(box, 'a', COUNT);
      await box.ok(['container', 'checkpoint', 'a']);
      await box.ok(['container', 'restore', 'a']);
      await assertCounts(box, 'a');
      await box.ok(['rm', '--force', '--time', '0', 'a']);
    });
  });
});

/** Starts a command and fills the disk once `when` is true; gives how it ended. */
async function withoutSpace(
  box: Sandbox,
  disk: SmallDisk,
  args: readonly string[],
  when: () => boolean | Promise<boolean>,
): Promise<{ readonly code: number; readonly stderr: string }> {
  const child = box.start(args);
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdout?.resume();
  const ended = once(child, 'close');
  await waitFor(async () => child.exitCode !== null || (await when()), LIMIT_MS);
  await disk.fill();
  const [code] = await ended;
  await disk.empty();
  assert.doesNotMatch(stderr, /internal error/);
  if (code !== 0) assert.match(stderr, /space|full/i);
  return { code, stderr };
}

async function assertNothingLeft(box: Sandbox): Promise<void> {
  assert.deepEqual(unfinished(box), []);
  assert.deepEqual(await leftovers(box), []);
  assert.deepEqual(await readdir(stagingDirectory(box)), []);
}

test('a disk that becomes full in the middle costs no container: it goes on, or is stopped with its checkpoint', async (t) => {
  await withSandbox(async (outer) => {
    await withSmallDisk(outer, 600, async (disk) => {
      const box = storeOn(outer, disk);
      await box.ok(['import', '--quiet', box.archive, IMAGE]);
      await start(box, 'c', hog(150));
      await assertCounts(box, 'c');
      const atWork = (): boolean => processesWorkingOn(box.root, /^(?:criu|ld-linux)/).length > 0;
      for (const verb of ['checkpoint', 'restore'] as const) {
        const { code, stderr } = await withoutSpace(box, disk, ['container', verb, 'c'], atWork);
        t.diagnostic(`${verb}: ${code} ${stderr.split('\n')[0] ?? ''}`);
        const now = await statusOf(box, 'c');
        await assertNothingLeft(box);
        if (verb === 'checkpoint' && now === 'running:false') {
          await assertCounts(box, 'c');
          await box.ok(['container', 'checkpoint', 'c']);
        }
        if (verb === 'restore' && now !== 'running:false') {
          assert.equal(now, 'exited:true');
          await box.ok(['container', 'restore', 'c']);
        }
      }
      await assertCounts(box, 'c');
      await box.ok(['rm', '--force', '--time', '0', 'c']);
    });
  });
});

test('what does not fit fails with words and without a trace: an image, a new container, an export, an import', async () => {
  await withSandbox(async (outer) => {
    await start(outer, 'c', hog(60));
    await assertCounts(outer, 'c');
    await withSmallDisk(outer, 24, async (disk) => {
      const target = join(disk.path, 'c.tar.zst');
      const tooLarge = await outer.cryopod(['container', 'checkpoint', '--export', target, 'c']);
      assert.equal(tooLarge.code, 125);
      assert.match(tooLarge.stderr, /^Error: .*(?:full|free).*goes on running/m);
      assert.deepEqual((await readdir(disk.path)).sort(), ['lost+found']);
      await assertCounts(outer, 'c');
      const archive = join(outer.directory, 'c.tar.zst');
      await outer.ok(['container', 'checkpoint', '--export', archive, 'c']);
      await outer.ok(['rm', 'c']);
      const box = storeOn(outer, disk);
      await box.ok(['import', '--quiet', box.archive, IMAGE]);
      const restored = await box.cryopod(['container', 'restore', '--import', archive]);
      assert.equal(restored.code, 125);
      assert.match(restored.stderr, /^Hint: .*(?:room|space)/im);
      await assertNothingLeft(box);
      assert.equal(await box.ok(['ps', '--all', '--quiet']), '');
      await disk.fill();
      for (const command of [
        ['run', '-d', '--name', 'x', IMAGE, 'sleep', '100'],
        ['import', '--quiet', box.archive, 'localhost/again:latest'],
      ]) {
        const { code, stderr } = await box.cryopod(command);
        if (code !== 0) assert.match(stderr, /^Error: .*(?:space|full)/m);
        assert.doesNotMatch(stderr, /internal error/);
      }
      await disk.empty();
      await box.ok(['rm', '--force', '--time', '0', '--ignore', 'x']);
      await assertNothingLeft(box);
      await outer.ok(['container', 'restore', '--import', archive]);
      await assertCounts(outer, 'c');
    });
  });
});
