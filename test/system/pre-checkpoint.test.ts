import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bundleDirectory } from '../../src/system/store-paths.ts';
import { imageName } from '../fixtures/images.ts';
import { type MemoryProgram, memoryCommand, memoryProgram } from '../fixtures/memory.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';

const MEBIBYTES = 32;
/** Bytes that one change touches: one page in a hundred. */
const CHANGE_BYTES = (MEBIBYTES * 2 ** 20) / 100;
const PERL = { images: ['perl'] } as const;

async function started(box: Sandbox): Promise<{ id: string; program: MemoryProgram }> {
  const id = await box.ok(memoryCommand('c', MEBIBYTES, imageName('perl')));
  return { id, program: await memoryProgram(box, 'c') };
}

const checkpoint = (box: Sandbox, ...options: string[]): Promise<string> =>
  box.ok(['container', 'checkpoint', ...options, 'c']);

/** Bytes of the pages in a directory of images. */
const pageBytes = (directory: string): number =>
  readdirSync(directory)
    .filter((name) => name.startsWith('pages-'))
    .reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);

test('After a chain of pre-checkpoints and a checkpoint of what has changed, every word of memory is as it was left', async () => {
  await withSandbox(async (box) => {
    const { id, program } = await started(box);
    const images = (name: string): string => join(bundleDirectory(box, id), name);
    for (let round = 0; round < 2; round += 1) {
      await checkpoint(box, '--pre-checkpoint');
      await program.change(box);
      await checkpoint(box, '--pre-checkpoint');
      await program.change(box);
      await checkpoint(box, '--with-previous', '--leave-running');
      await program.change(box);
      await checkpoint(box, '--with-previous');
      assert.ok(pageBytes(images('pre-checkpoint')) > MEBIBYTES * 2 ** 20);
      for (const name of ['pre-checkpoint-2', 'checkpoint']) {
        const bytes = pageBytes(images(name));
        assert.ok(bytes >= CHANGE_BYTES && bytes < 10 * CHANGE_BYTES, `${name} has ${bytes} bytes of pages`);
      }
      await box.ok(['container', 'restore', 'c']);
      await program.verify(box);
    }
  }, PERL);
});

test('The archive after a pre-checkpoint holds little more than what has changed, and both together restore every word', async () => {
  await withSandbox(async (box) => {
    const { program } = await started(box);
    const file = (name: string): string => join(box.directory, `${name}.tar.zst`);
    await checkpoint(box, '--pre-checkpoint');
    await program.change(box);
    await checkpoint(box, '--pre-checkpoint', '--export', file('pre'));
    await program.change(box);
    await checkpoint(box, '--with-previous', '--leave-running', '--export', file('one'));
    await program.change(box);
    await checkpoint(box, '--with-previous', '--export', file('two'));
    const sizes = ['pre', 'one', 'two'].map((name) => statSync(file(name)).size);
    const [whole = 0, one = 0, two = 0] = sizes;
    assert.ok(whole > MEBIBYTES * 2 ** 20, `a pre-checkpoint is whole in its archive: ${sizes}`);
    // Perl's own memory, files and CRIU's metadata come to less than a quarter of a megabyte.
    assert.ok(one < 1.3 * CHANGE_BYTES + 250_000, `one change: ${sizes}`);
    assert.ok(two < 1.3 * 2 * CHANGE_BYTES + 250_000, `two changes: ${sizes}`);
    await box.ok(['rm', '--force', '--time', '0', 'c']);
    const importing = ['container', 'restore', '--import-previous', file('pre'), '--import', file('two')];
    await box.ok([...importing, '--keep']);
    await program.verify(box);
    await box.ok(['stop', '--time', '0', 'c']);
    await box.ok(['container', 'restore', 'c']);
    await program.verify(box);
    await box.ok(['rm', '--force', '--time', '0', 'c']);
    await box.ok([...importing, '--name', 'clone']);
    await program.verify({ ok: (args) => box.ok(args.map((arg) => (arg === 'c' ? 'clone' : arg))) });
  }, PERL);
});

test('A checkpoint image after a pre-checkpoint restores with its archive', async () => {
  await withSandbox(async (box) => {
    const { program } = await started(box);
    const pre = join(box.directory, 'pre.tar.zst');
    await checkpoint(box, '--pre-checkpoint', '--export', pre);
    await program.change(box);
    await checkpoint(box, '--with-previous', '--create-image', 'frozen');
    await box.ok(['rm', 'c']);
    const alone = await box.cryopod(['container', 'restore', 'frozen']);
    assert.equal(alone.code, 125);
    await box.ok(['container', 'restore', '--import-previous', pre, 'frozen']);
    await program.verify(box);
  }, PERL);
});

test('A pre-checkpoint by content does not freeze the container', async (t) => {
  await withSandbox(async (box) => {
    const { program } = await started(box);
    const { stdout } = await box.cryopod(['container', 'checkpoint', '--dry-run', '--pre-checkpoint', 'c']);
    if (!stdout.includes('would not stand still')) return t.skip('this kernel tracks memory for CRIU');
    const frozen = await program.pauseDuring(box, async () => {
      await box.ok(['pause', 'c']);
      await checkpoint(box, '--dry-run', '--pre-checkpoint').catch(() => undefined);
      await box.ok(['unpause', 'c']);
    });
    const pauses: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      pauses.push(await program.pauseDuring(box, () => checkpoint(box, '--pre-checkpoint')));
    }
    // The scheduler may take it off a busy machine for a while; a freeze takes as long as the command that freezes.
    assert.ok(Math.min(...pauses) < frozen, `pauses of ${pauses} ms; one that is frozen pauses ${frozen} ms`);
  }, PERL);
});
