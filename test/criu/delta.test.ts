import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { receivePages } from '../../src/archive/writer-pages.ts';
import { absorbParent } from '../../src/criu/delta/absorb-parent.ts';
import { checkPageFiles } from '../../src/criu/delta/check-page-files.ts';
import { readMemory } from '../../src/criu/delta/read-memory.ts';
import { streamDelta } from '../../src/criu/delta/stream-delta.ts';
import { writeDelta } from '../../src/criu/delta/write-delta.ts';
import { writeWhole } from '../../src/criu/delta/write-whole.ts';
import { waitFor } from '../../src/system/clock.ts';
import { run } from '../../src/system/process.ts';
import { isAlive, processStat, processTree } from '../../src/system/procfs.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import { dump, inScratch, restore, startPerl, type Undo, waitForFile } from './support.ts';

const WORDS = join(import.meta.dirname, '../fixtures/programs/words.pl');
const MIB = 4;
const ROLES = ['parent', 'child'] as const;

/** The program of two processes that know every word of their memory; the same PIDs after each restore. */
interface Words {
  readonly directory: string;
  readonly pids: Readonly<Record<(typeof ROLES)[number], number>>;
  readonly change: (round: number) => Promise<void>;
  readonly dump: (name: string) => Promise<string>;
  readonly kill: () => Promise<void>;
  /** Restores images; what the two say of their memory. They go on. */
  readonly restore: (images: string, round: number, flags?: readonly string[]) => Promise<string>;
}

async function startWords(directory: string, undo: Undo): Promise<Words> {
  const child = spawn('perl', [WORDS, directory, String(MIB)], { detached: true, stdio: 'ignore', cwd: '/' });
  for (const role of ROLES) await waitForFile(join(directory, `${role}.ready`));
  const pidOf = (role: string): number => Number(readFileSync(join(directory, `${role}.ready`), 'utf8'));
  const pids = { parent: pidOf('parent'), child: pidOf('child') };
  assert.equal(pids.parent, child.pid);
  const ask = async (signal: 'SIGUSR1' | 'SIGUSR2', name: string): Promise<string[]> => {
    const files = ROLES.map((role) => join(directory, `${role}.${name}`));
    for (const file of files) rmSync(file, { force: true });
    for (const role of ROLES) process.kill(pids[role], signal);
    for (const file of files) await waitForFile(file);
    return files.map((file) => readFileSync(file, 'utf8'));
  };
  const kill = (): Promise<void> => killTree(pids.parent);
  undo.add(kill);
  return {
    directory,
    pids,
    change: async (round) => void (await ask('SIGUSR1', `changed.${round}`)),
    dump: async (name) => {
      const images = join(directory, name);
      const { result, log } = await dump(directory, pids.parent, ['--leave-running'], { images });
      assert.equal(result.ok, true, log.split('\n').slice(-10).join('\n'));
      return images;
    },
    kill,
    restore: async (images, round, flags = []) => {
      await kill();
      await checkPageFiles(images);
      const { result, log } = await restore(directory, flags, { images });
      assert.equal(result.ok, true, log.split('\n').slice(-20).join('\n'));
      return (await ask('SIGUSR2', `compared.${round}`)).join(', ');
    },
  };
}

/** Ends all processes and waits until their IDs are free again. */
async function killTree(root: number): Promise<void> {
  const tree = processTree(root);
  for (const { pid, startTime } of tree) if (isAlive(pid, startTime)) process.kill(pid, 'SIGKILL');
  const gone = await waitFor(() => tree.every(({ pid }) => processStat(pid) === undefined), LIMIT_MS);
  if (gone !== true) throw new Error(`process ${root} did not end`);
}

const pageBytesIn = (directory: string): number =>
  readdirSync(directory)
    .filter((name) => name.startsWith('pages-'))
    .reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);

test('memory comes back from chains of deltas, joined ones and whole ones, every word of it', () =>
  inScratch(async (directory, undo) => {
    const words = await startWords(directory, undo);
    const first = await words.dump('first');
    await words.change(1);
    const second = await words.dump('second-whole');
    await words.change(2);
    const third = await words.dump('third-whole');
    await words.kill();

    const path = (name: string): string => join(directory, name);
    const one = { images: second, parent: first, into: path('second'), link: '../first' };
    const two = { images: third, parent: path('second'), into: path('third'), link: '../second' };
    await writeDelta(one);
    const figures = await writeDelta(two);
    // A fiftieth of the words' pages, and what the interpreter itself has written meanwhile.
    assert.ok(figures.ownPages * 8 < figures.parentPages, JSON.stringify(figures));
    assert.ok(pageBytesIn(path('third')) * 8 < pageBytesIn(third));

    assert.equal(await words.restore(path('third'), 2), 'ok, ok');
    assert.equal(await words.restore(path('second'), 1), 'ok, ok');

    await absorbParent({ images: path('third'), into: path('joined'), link: '../first' });
    const keep = path('kept-aside');
    await absorbParent({ images: path('second'), into: keep });
    rmSync(path('second'), { recursive: true });
    assert.equal(await words.restore(path('joined'), 2), 'ok, ok');

    await writeWhole({ images: path('joined'), into: path('whole') });
    for (const name of ['first', 'joined']) rmSync(path(name), { recursive: true });
    assert.equal(await words.restore(path('whole'), 2), 'ok, ok');
    assert.equal(await words.restore(keep, 1), 'ok, ok');
    assert.equal(pageBytesIn(path('whole')), pageBytesIn(third));

    // It goes on from there.
    await words.change(2);
  }));

test('memory that was read from outside while the processes ran is the parent of a later dump', () =>
  inScratch(async (directory, undo) => {
    const words = await startWords(directory, undo);
    const path = (name: string): string => join(directory, name);
    const processes = ROLES.map((role) => ({ hostPid: words.pids[role], pid: words.pids[role] }));
    const gone = { hostPid: 2 ** 22 + 1, pid: 7 };
    const whole = await readMemory({ processes: [...processes, gone], into: path('pre1') });
    assert.ok(whole.ownPages >= (2 * MIB * 2 ** 20) / whole.pageBytes, JSON.stringify(whole));
    await words.change(1);
    const next = { processes, into: path('pre2'), parent: path('pre1'), link: '../pre1' };
    const delta = await readMemory(next);
    assert.ok(delta.ownPages * 8 < delta.parentPages, JSON.stringify(delta));
    await words.change(2);
    const images = await words.dump('dumped');
    const figures = await writeDelta({ images, parent: path('pre2'), into: path('final'), link: '../pre2' });
    const privatePages = (2 * MIB * 2 ** 20) / figures.pageBytes;
    assert.ok(figures.parentPages > privatePages * 0.9, JSON.stringify(figures));
    assert.equal(await words.restore(path('final'), 2), 'ok, ok');
  }));

test('a delta that is made while CRIU writes its pages is the memory, every word of it, and whole nowhere', () =>
  inScratch(async (directory, undo) => {
    const words = await startWords(directory, undo);
    const path = (name: string): string => join(directory, name);
    const processes = ROLES.map((role) => ({ hostPid: words.pids[role], pid: words.pids[role] }));
    await readMemory({ processes, into: path('pre1') });
    await words.change(1);
    await readMemory({ processes, into: path('pre2'), parent: path('pre1'), link: '../pre1' });
    await words.change(2);
    const parent = path('pre2');
    const stream = await streamDelta({ parent, into: path('final'), root: words.pids.parent });
    undo.add(() => stream.discard());
    mkdirSync(path('dumped'));
    await receivePages(
      path('dumped'),
      () => words.dump('dumped'),
      (name, fd) => stream.take(path('dumped'), name, fd),
    );
    const figures = await stream.finish(path('dumped'));
    assert.equal(pageBytesIn(path('dumped')), 0);
    const privatePages = (2 * MIB * 2 ** 20) / figures.pageBytes;
    assert.ok(figures.parentPages > privatePages * 0.9, JSON.stringify(figures));
    assert.equal(pageBytesIn(path('final')), figures.ownPages * figures.pageBytes);
    symlinkSync('../pre2', join(path('final'), 'parent'));
    assert.equal(await words.restore(path('final'), 2), 'ok, ok');
  }));

test('the restored memory is that of the parent: a byte that changes there is found', () =>
  inScratch(async (directory, undo) => {
    const words = await startWords(directory, undo);
    const path = (name: string): string => join(directory, name);
    const first = await words.dump('first');
    const images = await words.dump('again');
    await writeDelta({ images, parent: first, into: path('delta'), link: '../first' });
    // A page of the words: 1024 different ones in a row.
    for (const name of readdirSync(first).filter((each) => each.startsWith('pages-'))) {
      const pages = readFileSync(join(first, name));
      const at = pages.indexOf(wordsOfPage(100, 1));
      if (at === -1) continue;
      pages[at + 1234] = (pages[at + 1234] ?? 0) ^ 1;
      writeFileSync(join(first, name), pages);
    }
    assert.equal(await words.restore(path('delta'), 0), 'page 100 of private is wrong, ok');
  }));

/** What words.pl has in a page at first. */
function wordsOfPage(page: number, salt: number): Buffer {
  const bytes = Buffer.alloc(4096);
  const first = ((page + salt) * 2654435761) % 2 ** 32;
  for (let i = 0; i < 1024; i += 1) bytes.writeUInt32BE((first + i * 97) % 2 ** 32, i * 4);
  return bytes;
}

test('a delta is restored while its own pages come later', () =>
  inScratch(async (directory, undo) => {
    const words = await startWords(directory, undo);
    const path = (name: string): string => join(directory, name);
    const first = await words.dump('first');
    await words.change(1);
    const images = await words.dump('second');
    await writeDelta({ images, parent: first, into: path('delta'), link: '../first' });
    const abort = new AbortController();
    undo.add(() => abort.abort());
    const daemon = ['criu', 'lazy-pages', '-D', path('delta'), '-W', directory, '-o', 'lazy.log', '-v4'];
    const serving = run(daemon, { signal: abort.signal });
    await waitForFile(path('lazy-pages.socket'));
    assert.equal(await words.restore(path('delta'), 1, ['--lazy-pages']), 'ok, ok');
    assert.equal((await serving).ok, true);
    assert.match(readFileSync(path('lazy.log'), 'utf8'), /transferred pages: \(([1-9]\d*)\/\1\)/);
  }));

test('memory is read from a process whose mappings come and go', () =>
  inScratch(async (directory, undo) => {
    const subject = await startPerl(
      directory,
      undo,
      `ready(); while (1) { my $x = 'a' x (8 << 20); undef $x }`,
    );
    for (let i = 0; i < 10; i += 1) {
      const into = join(directory, String(i));
      const { ownPages } = await readMemory({ processes: [{ hostPid: subject.pid, pid: 1 }], into });
      assert.ok(ownPages > 0);
      await checkPageFiles(into);
      assert.deepEqual(readdirSync(into).sort(), ['inventory.img', 'pagemap-1.img', 'pages-1.img']);
    }
    assert.equal(processStat(subject.pid)?.state.match(/[RSD]/)?.length, 1, 'it was not stopped');
  }));

test('a full disk leaves nothing behind', () =>
  inScratch(async (directory, undo) => {
    const disk = join(directory, 'disk');
    mkdirSync(disk);
    await run(['mount', '-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk]);
    undo.add(() => run(['umount', disk]));
    const { pid } = await startPerl(directory, undo, `my $x = 'a' x (1 << 20); ready(); sleep 1 while 1;`);
    const into = join(disk, 'into');
    const reading = readMemory({ processes: [{ hostPid: pid, pid }], into });
    await assert.rejects(reading, { code: 'NO_SPACE' });
    assert.equal(existsSync(into), false);
  }));
