import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isCryopodError } from '../../src/model/errors.ts';
import { placeChanges } from '../../src/rootfs/apply-changes.ts';
import { diffContainer } from '../../src/rootfs/diff.ts';
import { mountRootfs } from '../../src/rootfs/overlay.ts';
import { applyRound } from '../../src/rootfs/rounds/apply-round.ts';
import { scanChanges, scanTree } from '../../src/rootfs/rounds/scan.ts';
import {
  changedBytes,
  compareStates,
  EMPTY_TREE,
  type TreeChanges,
  type TreeState,
} from '../../src/rootfs/rounds/tree-state.ts';
import { decodePaths, encodePaths, writeRound } from '../../src/rootfs/rounds/write-round.ts';
import { placeVolume } from '../../src/rootfs/volume-archive.ts';
import { createVolumeDirectory } from '../../src/rootfs/volumes.ts';
import { mount } from '../../src/system/mounts.ts';
import { throughPipe } from '../../src/system/through-pipe.ts';
import { generator, SEED } from '../fixtures/random.ts';
import { ID, makeLayer, withStore } from './support.ts';
import { changeTree, portrait } from './tree-changer.ts';

const CLONE = 'd'.repeat(64);

/** Longer than a step of the clock of file systems: what was written before is seen to have changed or not. */
const settle = (): Promise<void> => sleep(50);

function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'cryopod-rounds-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

interface Round extends TreeChanges {
  readonly state: TreeState;
}

/** Brings `copy` from what `root` was at the last round to what it is. */
async function bring(
  root: string,
  copy: string,
  before: TreeState,
  { state, live }: { readonly state: TreeState; readonly live: boolean },
): Promise<Round> {
  const { changed, removed } = compareStates(before, state);
  const listed = decodePaths(encodePaths(removed));
  await throughPipe(
    (fd) => writeRound(root, changed, fd, { live }),
    (fd) => applyRound(copy, fd, listed, 'the round'),
  );
  return { state, changed, removed };
}

const bringTree = async (root: string, copy: string, before: TreeState, live = false): Promise<Round> =>
  bring(root, copy, before, { state: await scanTree(root), live });

describe('rounds of files', () => {
  it(`a copy is the tree after each round of changes by chance (seed ${SEED})`, async (t) => {
    const random = generator(SEED);
    for (let tree = 0; tree < 12; tree += 1) {
      const base = scratch(t);
      const [root, copy] = [join(base, 'root'), join(base, 'copy')];
      mkdirSync(root);
      let before = EMPTY_TREE;
      const done: string[][] = [];
      for (let round = 0; round < 6; round += 1) {
        done.push(await changeTree(root, round === 0 ? 40 : 1 + Math.floor(random() * 12), random));
        before = (await bringTree(root, copy, before)).state;
        assert.deepEqual(await portrait(copy), await portrait(root), JSON.stringify(done));
      }
    }
  });

  it('a round brings what has changed and nothing else', async (t) => {
    const base = scratch(t);
    const [root, copy] = [join(base, 'root'), join(base, 'copy')];
    mkdirSync(join(root, 'a/b/c'), { recursive: true });
    for (const name of ['a/one', 'a/b/two', 'a/b/c/three', 'four']) writeFileSync(join(root, name), name);
    await settle();
    const first = await bringTree(root, copy, EMPTY_TREE);
    assert.deepEqual((await bringTree(root, copy, first.state)).changed, ['']);
    writeFileSync(join(root, 'a/b/two'), 'TWO!');
    utimesSync(join(root, 'a/b/two'), 1, 1);
    rmSync(join(root, 'a/b/c'), { recursive: true });
    const { state, changed, removed } = await bringTree(root, copy, first.state);
    assert.equal(changedBytes(first.state, state), 'TWO!'.length);
    assert.deepEqual([changed.toSorted(), removed], [['', 'a', 'a/b', 'a/b/two'], ['a/b/c']]);
    assert.deepEqual(await portrait(copy), await portrait(root));
  });

  it('a file that is written within a step of the clock after it was looked at comes again', async (t) => {
    const base = scratch(t);
    const [root, copy] = [join(base, 'root'), join(base, 'copy')];
    mkdirSync(root);
    for (let i = 0; i < 50; i += 1) {
      writeFileSync(join(root, 'file'), `before ${i}`);
      const { state } = await bringTree(root, join(base, `copy-${i}`), EMPTY_TREE);
      writeFileSync(join(root, 'file'), `after! ${i}`);
      await bring(root, join(base, `copy-${i}`), state, { state: await scanTree(root), live: false });
      assert.equal(await readFile(join(base, `copy-${i}/file`), 'utf8'), `after! ${i}`);
    }
    assert.equal(statSync(copy, { throwIfNoEntry: false }), undefined);
  });

  it('a copy of a tree that changes all the time is right after a round in which it does not', async (t) => {
    const base = scratch(t);
    const [root, copy] = [join(base, 'root'), join(base, 'copy')];
    mkdirSync(root);
    const script = `i=0; while :; do i=$((i+1)); n=$((i % 40)); d=d$((i % 7))
      mkdir -p $d; head -c $((i * 37 % 90000)) /dev/zero | tr '\\0' "$n" >$d/f$n; echo $i >>$d/log
      [ $((i % 3)) = 0 ] || mv $d/f$n $d/g$n; [ $((i % 11)) != 0 ] || rm -rf d$(((i + 3) % 7)); done`;
    const writer = spawn('sh', ['-c', script], { cwd: root, detached: true, stdio: 'ignore' });
    const ended = new Promise((resolve) => writer.once('exit', resolve));
    const kill = (signal: NodeJS.Signals): boolean => process.kill(-(writer.pid ?? 0), signal);
    let before = EMPTY_TREE;
    try {
      for (let round = 0; round < 15; round += 1) {
        await sleep(20);
        before = (await bringTree(root, copy, before, true)).state;
      }
    } finally {
      kill('SIGKILL');
      await ended;
    }
    await bringTree(root, copy, before);
    assert.deepEqual(await portrait(copy), await portrait(root));
  });

  it('a tree is looked through whose directories go while that is done, and not one that is not there', async (t) => {
    const root = scratch(t);
    const script = 'while :; do mkdir -p 1/2/3/4/5/6/7/8; rm -rf 1; done';
    const writer = spawn('sh', ['-c', script], { cwd: root, detached: true, stdio: 'ignore' });
    const ended = new Promise((resolve) => writer.once('exit', resolve));
    try {
      for (let i = 0; i < 300; i += 1) await scanTree(root);
    } finally {
      process.kill(-(writer.pid ?? 0), 'SIGKILL');
      await ended;
    }
    await assert.rejects(scanTree(join(root, 'none')), /could not look through/);
  });

  it('what is written through a mapping that was there before comes with a later round', async (t) => {
    const base = scratch(t);
    const [root, copy] = [join(base, 'root'), join(base, 'copy')];
    mkdirSync(root);
    const program = `
import mmap, sys
f = open('mapped', 'w+b'); f.truncate(8192); m = mmap.mmap(f.fileno(), 8192)
for line in sys.stdin:
    m[0:8] = line.strip().encode().ljust(8); print('ok', flush=True)`;
    const child = spawn('python3', ['-c', program], { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] });
    const put = (word: string): Promise<unknown> => {
      const answer = new Promise((resolve) => child.stdout.once('data', resolve));
      child.stdin.write(`${word}\n`);
      return answer;
    };
    try {
      await put('one');
      await settle();
      const state = await scanTree(root);
      execFileSync('sync', ['--file-system', root]);
      await bring(root, copy, EMPTY_TREE, { state, live: true });
      await settle();
      await put('two');
      await bringTree(root, copy, state);
      assert.equal((await readFile(join(copy, 'mapped'), 'latin1')).slice(0, 3), 'two');
    } finally {
      child.stdin.end();
      await new Promise((resolve) => child.once('exit', resolve));
    }
  });

  it('an error of the disk is none of a living tree', async (t) => {
    const base = scratch(t);
    mkdirSync(join(base, 'root/gone'), { recursive: true });
    const round = (paths: string[]): Promise<void> =>
      throughPipe(
        (fd) => writeRound(join(base, 'root'), paths, fd, { live: true }),
        (fd) => applyRound(join(base, `copy-${paths.length}`), fd, [], 'the round'),
      );
    await round(['', 'gone', 'never/was']);
    const output = openSync('/dev/full', 'w');
    const full = writeRound(base, ['', 'root'], output, { live: true });
    await assert.rejects(full, (error) => isCryopodError(error) && error.code === 'PROGRAM_FAILED');
    closeSync(output);
  });

  it('a hostile round reaches nothing outside of the copy', async (t) => {
    const base = scratch(t);
    const [root, copy, outside] = [join(base, 'root'), join(base, 'copy'), join(base, 'outside')];
    mkdirSync(root);
    mkdirSync(outside);
    writeFileSync(join(outside, 'file'), 'mine');
    symlinkSync(outside, join(root, 'door'));
    const first = await bringTree(root, copy, EMPTY_TREE);
    rmSync(join(root, 'door'));
    mkdirSync(join(root, 'door'));
    writeFileSync(join(root, 'door/file'), 'theirs');
    await throughPipe(
      // Without the directory itself, so that the copy's link would be used on the way.
      (fd) => writeRound(root, ['door/file'], fd, { live: false }),
      (fd) => applyRound(copy, fd, [], 'the round'),
    );
    assert.equal(await readFile(join(outside, 'file'), 'utf8'), 'mine');
    assert.equal(await readFile(join(copy, 'door/file'), 'utf8'), 'theirs');
    symlinkSync(outside, join(root, 'window'));
    await bringTree(root, copy, first.state);
    for (const path of ['window/file', '../outside/file', '/etc', '', 'door//file', '.']) {
      const removal = throughPipe(
        (fd) => writeRound(root, [''], fd, { live: false }),
        (fd) => applyRound(copy, fd, [path], 'the round'),
      );
      if (path === 'window/file') await removal;
      else
        await assert.rejects(removal, (error) => isCryopodError(error) && error.code === 'ARCHIVE_INVALID');
    }
    assert.equal(await readFile(join(outside, 'file'), 'utf8'), 'mine');
  });

  it('a tree becomes a volume also where that is on a file system of its own', async () => {
    await withStore(async (store, base) => {
      for (const name of ['here', 'apart']) {
        const tree = join(base, name);
        mkdirSync(tree);
        await changeTree(tree, 30, generator(SEED));
        const expected = await portrait(tree);
        const mountpoint = await createVolumeDirectory(store, name);
        if (name === 'apart') await mount('tmpfs', 'apart', join(mountpoint, '..'), ['mode=755']);
        await createVolumeDirectory(store, name);
        await placeVolume(store, name, tree);
        assert.deepEqual(await portrait(mountpoint), expected);
      }
    });
  });

  it(`changes of a container over its image arrive in rounds (seed ${SEED})`, async () => {
    await withStore(async (store, base) => {
      const layers = [
        await makeLayer(
          store,
          'one',
          'mkdir -p a/dir b dir/e c; for d in a a/dir b dir dir/e c; do echo 1 >$d/one; ln $d/one $d/with; done; chown 7:7 b',
        ),
        await makeLayer(store, 'two', 'mkdir -p dir c; echo 2 >dir/b; echo 2 >c/one; chmod 2750 c'),
      ];
      const random = generator(SEED);
      const rootfs = await mountRootfs(store, ID, layers);
      const copy = join(base, 'root/copy');
      let before = EMPTY_TREE;
      let deleted: readonly string[] = [];
      for (let round = 0; round < 6; round += 1) {
        await changeTree(rootfs, 15, random);
        const found = await scanChanges(rootfs, diffContainer(store, ID, layers));
        await bring(rootfs, copy, before, { state: found.state, live: false });
        before = found.state;
        deleted = found.deleted;
      }
      await placeChanges(store, CLONE, layers, copy, { deleted, sync: false });
      const clone = await mountRootfs(store, CLONE, layers);
      assert.deepEqual(await portrait(clone, { links: false }), await portrait(rootfs, { links: false }));
    });
  });
});
