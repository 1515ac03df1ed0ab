import assert from 'node:assert/strict';
import { mkdir, readdir, rm, stat, symlink, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runOk } from '../../src/system/process.ts';
import { stagingDirectory } from '../../src/system/store-paths.ts';
import { imageName } from '../fixtures/images.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';

interface Apart {
  /** Directory of the members; what is changed in it is in the next archive. */
  readonly directory: string;
  /** Gives the path of an archive of them, without sums. */
  readonly pack: () => Promise<string>;
}

async function takenApart(box: Sandbox, archive: string): Promise<Apart> {
  const directory = `${archive}.apart`;
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory);
  await runOk(['tar', '-xf', archive, '-C', directory], 'take the archive apart');
  await rm(join(directory, 'cryopod.sums'));
  const path = join(box.directory, 'changed.tar');
  return {
    directory,
    pack: async () => {
      await runOk(['tar', '-cf', path, '-C', directory, '.'], 'pack the archive');
      return path;
    },
  };
}

/** Archives of a pre-checkpoint and of the checkpoint after it; the container is gone. */
async function exported(box: Sandbox): Promise<{ pre: string; after: string }> {
  const [pre, after] = [join(box.directory, 'pre.tar'), join(box.directory, 'c.tar')];
  const run = ['run', '-d', '--name', 'c', '--network', 'none', imageName('busybox')];
  await box.ok([...run, 'sh', '-c', 'while :; do sleep 1; done']);
  await box.ok(['container', 'checkpoint', '-P', '-c', 'none', '-e', pre, 'c']);
  await box.ok(['container', 'checkpoint', '--with-previous', '-c', 'none', '-e', after, 'c']);
  await box.ok(['rm', 'c']);
  return { pre, after };
}

test('A pre-checkpoint that lacks what the checkpoint takes from it is refused by name, and nothing is created', async () => {
  await withSandbox(async (box) => {
    const { pre, after } = await exported(box);
    const changes: readonly (readonly [string, (images: string) => Promise<unknown>, RegExp])[] = [
      ['without a page map', (images) => rm(join(images, 'pagemap-1.img')), /pagemap-1\.img|parent/],
      [
        'with short pages',
        async (images) => {
          const pages = join(images, 'pages-1.img');
          await truncate(pages, (await stat(pages)).size - 4096);
        },
        /pages-1\.img/,
      ],
      ['without an inventory', (images) => rm(join(images, 'inventory.img')), /no complete pre-checkpoint/],
      ['with a link', (images) => symlink('/etc', join(images, 'parent')), /symbolic link/],
      [
        'without its identity',
        (images) => rm(join(images, 'cryopod-identity.json')),
        /is not the pre-checkpoint/,
      ],
    ];
    for (const [what, change, says] of changes) {
      const { directory, pack } = await takenApart(box, pre);
      await change(join(directory, 'pre-checkpoint'));
      const importing = ['container', 'restore', '--import-previous', await pack(), '--import', after];
      const { code, stderr } = await box.cryopod(importing);
      assert.equal(code, 125, `${what}: ${stderr}`);
      assert.match(stderr, says, what);
      assert.doesNotMatch(stderr, /internal error/, what);
      assert.equal(await box.ok(['ps', '-aq']), '', what);
      assert.deepEqual(await readdir(stagingDirectory(box)), [], what);
    }
    await box.ok(['container', 'restore', '--import-previous', pre, '--import', after]);
  });
});

test('An archive cannot bring the pre-checkpoint that it builds on, and its link leads nowhere else', async () => {
  await withSandbox(async (box) => {
    const { pre, after } = await exported(box);
    const { directory: images } = await takenApart(box, pre);
    const { directory, pack } = await takenApart(box, after);
    await runOk(['cp', '-r', join(images, 'pre-checkpoint'), directory], 'add the pre-checkpoint');
    const alone = await box.cryopod(['container', 'restore', '--import', await pack()]);
    assert.match(alone.stderr, /holds only what has changed since a pre-checkpoint/);
    const link = join(directory, 'checkpoint/parent');
    for (const target of ['/etc', '../pre-checkpoint-2', '../../pre-checkpoint', '.']) {
      await rm(link);
      await symlink(target, link);
      const importing = ['container', 'restore', '--import-previous', pre, '--import', await pack()];
      const { code, stderr } = await box.cryopod(importing);
      assert.equal(code, 125);
      assert.match(stderr, /symbolic link/, target);
    }
    // Without the link the ranges of the parent have nowhere to come from.
    await rm(link);
    const unlinked = await box.cryopod(['container', 'restore', '--import', await pack()]);
    assert.equal(unlinked.code, 125);
    assert.doesNotMatch(unlinked.stderr, /internal error/);
    assert.equal(await box.ok(['ps', '-aq']), '');
  });
});
