import assert from 'node:assert/strict';
import { mkdir, readFile, rename, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { withSandbox } from '../fixtures/sandbox.ts';
import { assertNotThawed, startPerl } from './support.ts';

test('a file that has another size than at the checkpoint is named, and put right lets the restore succeed', async () => {
  await withSandbox(async (box) => {
    const directory = join(box.directory, 'data');
    await mkdir(directory, { mode: 0o755 });
    await writeFile(join(directory, 'file'), 'as it was');
    await startPerl(box, 'c', `open($f, '<', '/data/file') or die $!`, ['-v', `${directory}:/data`]);
    await box.ok(['container', 'checkpoint', 'c']);
    await writeFile(join(directory, 'file'), 'longer than it was');
    await assertNotThawed(
      box,
      'c',
      /\(perl\) had \/data\/file open, which has changed since the checkpoint: 18 bytes instead of 9/,
      /Put the file back/,
    );
    await writeFile(join(directory, 'file'), 'as it was');
    await box.ok(['container', 'restore', 'c']);
    assert.equal((await box.cryopod(['exec', 'c', 'true'])).code, 0);
  });
});

test('a file that is gone is named', async () => {
  await withSandbox(async (box) => {
    const directory = join(box.directory, 'data');
    await mkdir(directory, { mode: 0o755 });
    await writeFile(join(directory, 'file'), 'x');
    await startPerl(box, 'c', `open($f, '<', '/data/file') or die $!`, ['-v', `${directory}:/data`]);
    await box.ok(['container', 'checkpoint', 'c']);
    await rename(join(directory, 'file'), join(directory, 'moved'));
    await assertNotThawed(box, 'c', /\(perl\) had \/data\/file open, which is gone/, /Put the file back/);
  });
});

test('a bind mount whose source is gone is named before anything is touched', async () => {
  await withSandbox(async (box) => {
    const directory = join(box.directory, 'data');
    await mkdir(directory, { mode: 0o755 });
    await startPerl(box, 'c', '1', ['-v', `${directory}:/data`]);
    await box.ok(['container', 'checkpoint', 'c']);
    await rename(directory, `${directory}-moved`);
    const { code, stderr } = await box.cryopod(['container', 'restore', 'c']);
    assert.equal(code, 125);
    assert.match(stderr, /cannot mount \S+data at \/data .*no such file or directory/);
    assert.equal(await box.ok(['inspect', '--format', '{{.State.Checkpointed}}', 'c']), 'true');
    await rename(`${directory}-moved`, directory);
    await box.ok(['container', 'restore', 'c']);
  });
});

test('a connection that was not asked for is told with the options that help', async () => {
  await withSandbox(async (box) => {
    await startPerl(
      box,
      'c',
      `use Socket; socket($l, PF_INET, SOCK_STREAM, 0); bind($l, sockaddr_in(7000, INADDR_LOOPBACK)) or die; listen($l, 1); socket($c, PF_INET, SOCK_STREAM, 0); connect($c, sockaddr_in(7000, INADDR_LOOPBACK)) or die; accept($a, $l) or die`,
    );
    await box.ok(['container', 'checkpoint', '--tcp-established', 'c']);
    await assertNotThawed(
      box,
      'c',
      /\(perl\) had an established TCP connection/,
      /--tcp-established .* or --tcp-close/,
    );
    await box.ok(['container', 'restore', '--tcp-established', 'c']);
  });
});

test('a checkpoint with a page missing is refused before anything is touched', async () => {
  await withSandbox(async (box) => {
    await startPerl(box, 'c', '1');
    await box.ok(['container', 'checkpoint', 'c']);
    const images = await box.ok(['inspect', '--format', '{{.State.CheckpointPath}}', 'c']);
    const pages = join(images, 'pages-1.img');
    const whole = await readFile(pages);
    await truncate(pages, whole.length - 4096);
    const { code, stderr } = await box.cryopod(['container', 'restore', 'c']);
    assert.equal(code, 125);
    assert.match(stderr, /the checkpoint is damaged: pages-1\.img has \d+ bytes and must have \d+/);
    await writeFile(pages, whole);
    await box.ok(['container', 'restore', 'c']);
  });
});
