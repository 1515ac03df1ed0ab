import assert from 'node:assert/strict';
import { chmod, link, mkdir, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Digests, readDigests, writeDigests } from '../system/digests.ts';
import { setXattr } from '../system/libc.ts';
import { linkUnchanged } from './tree-links.ts';

const MOMENT = new Date('2026-01-02T03:04:05Z');

async function put(directory: string, name: string | Buffer, content: string): Promise<void> {
  const path = Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(name)]);
  await writeFile(path, content);
  await utimes(path, MOMENT, MOMENT);
}

interface Copies {
  readonly before: string;
  readonly after: string;
}

async function withCopies(work: (copies: Copies) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'cryopod-links-'));
  try {
    const copies = { before: join(directory, 'before'), after: join(directory, 'after') };
    await mkdir(copies.before);
    await mkdir(copies.after);
    await work(copies);
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function digests(directory: string): Promise<Digests> {
  const list = `${directory}.digests`;
  await rm(list, { force: true });
  await writeDigests(directory, list, []);
  return await readDigests(list);
}

async function compare({ before, after }: Copies, known?: Digests): Promise<readonly string[]> {
  const earlier = known ?? (await digests(before));
  const { damaged } = await linkUnchanged(
    { directory: after, digests: await digests(after) },
    { directory: before, digests: earlier },
    () => true,
  );
  return damaged;
}

const isLinked = async ({ before, after }: Copies, name: string | Buffer): Promise<boolean> => {
  const [one, other] = await Promise.all(
    [before, after].map((directory) =>
      stat(Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(name)])),
    ),
  );
  return one?.ino === other?.ino;
};

test('Only files that are the same in everything become links, whatever their names', async () => {
  await withCopies(async (copies) => {
    const odd = [
      'plain',
      'two\nlines',
      'back\\slash',
      '\\n',
      ' spaces ',
      '-dash',
      Buffer.from([0x66, 0xff, 0xfe]),
    ];
    for (const directory of [copies.before, copies.after]) {
      for (const name of odd) await put(directory, name, 'content');
      for (const name of ['content', 'mode', 'time', 'attribute']) await put(directory, name, 'same');
    }
    await put(copies.after, 'content', 'else');
    await chmod(join(copies.after, 'mode'), 0o600);
    await chmod(join(copies.before, 'mode'), 0o644);
    await utimes(join(copies.after, 'time'), MOMENT, new Date(MOMENT.getTime() + 1));
    await setXattr(join(copies.after, 'attribute'), 'trusted.cryopod-test', 'x');
    assert.deepEqual(await compare(copies), []);
    for (const name of odd) assert.ok(await isLinked(copies, name), `${name} is a link`);
    for (const name of ['content', 'mode', 'time', 'attribute']) {
      assert.equal(await isLinked(copies, name), false, `${name} is not`);
    }
    assert.equal(await readFile(join(copies.after, 'content'), 'utf8'), 'else');
  });
});

test('Names that were one file and are two now, or the reverse, stay apart', async () => {
  await withCopies(async (copies) => {
    await put(copies.before, 'a', 'same');
    await link(join(copies.before, 'a'), join(copies.before, 'b'));
    await put(copies.before, 'c', 'same');
    await put(copies.before, 'd', 'same');
    for (const name of ['a', 'b', 'c']) await put(copies.after, name, 'same');
    await link(join(copies.after, 'c'), join(copies.after, 'd'));
    await compare(copies);
    const inode = async (name: string): Promise<number> => (await stat(join(copies.after, name))).ino;
    assert.notEqual(await inode('a'), await inode('b'));
    assert.equal(await inode('c'), await inode('d'));
  });
});

test('A file that was damaged since it was written is told, and not linked to', async () => {
  await withCopies(async (copies) => {
    for (const directory of [copies.before, copies.after]) await put(directory, 'file', 'content');
    const known = await digests(copies.before);
    await put(copies.before, 'file', 'c0ntent');
    assert.deepEqual(await compare(copies, known), ['./file']);
    assert.equal(await isLinked(copies, 'file'), false);
    assert.equal(await readFile(join(copies.after, 'file'), 'utf8'), 'content');
  });
});
