import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { IMAGE_MAGIC } from '../images.ts';
import { imageOf, message } from '../view/testing.ts';
import { absorbParent } from './absorb-parent.ts';
import { checkPageFiles } from './check-page-files.ts';
import { IN_PARENT, LAZY, PRESENT } from './page-table.ts';
import { linkParent, namesIn, type Pages, pagesOf, putImages, scratch } from './testing.ts';
import { writeDelta } from './write-delta.ts';
import { writeWhole } from './write-whole.ts';

/** `1a 2^ 3-`: page 1 with the letter a, page 2 in the parent, page 3 without content. */
const show = (pages: Pages): string =>
  [...pages]
    .map(([page, is]) => `${page}${is.where === 'own' ? is.content : is.where === 'parent' ? '^' : '-'}`)
    .join(' ');

test('a delta holds the pages that differ, shares all other files, and leaves its source alone', async (t) => {
  const top = scratch(t);
  putImages(join(top, 'old'), [[16, 4, PRESENT]], 'abcd');
  putImages(
    join(top, 'new'),
    [
      [16, 3, PRESENT | LAZY],
      [19, 1, 0],
      [30, 2, PRESENT],
    ],
    'aXcyz',
  );
  writeFileSync(join(top, 'new', 'core-1.img'), 'core');
  writeFileSync(join(top, 'new', 'pages-7.img'), 'of no page map');
  const figures = await writeDelta({
    images: join(top, 'new'),
    parent: join(top, 'old'),
    into: join(top, 'delta'),
    link: '../old',
  });
  assert.deepEqual(figures, { ownPages: 3, parentPages: 2, pageBytes: 4096 });
  assert.equal(show(await pagesOf(join(top, 'delta'))), '16^ 17X 18^ 19- 30y 31z');
  assert.deepEqual(namesIn(join(top, 'delta')), ['core-1.img', 'pagemap-1.img', 'pages-1.img', 'parent']);
  assert.equal(readlinkSync(join(top, 'delta', 'parent')), '../old');
  assert.equal(statSync(join(top, 'delta')).mode & 0o777, 0o700);
  assert.equal(statSync(join(top, 'delta', 'core-1.img')).ino, statSync(join(top, 'new', 'core-1.img')).ino);
  assert.equal(show(await pagesOf(join(top, 'new'))), '16a 17X 18c 19- 30y 31z');
  await checkPageFiles(join(top, 'delta'));
});

test('PE_LAZY stays with own pages, and comes back where those of a parent come in', async (t) => {
  const top = scratch(t);
  const images = join(top, 'new');
  putImages(join(top, 'old'), [[1, 4, PRESENT | LAZY]], 'aaaa');
  putImages(
    images,
    [
      [1, 2, PRESENT | LAZY],
      [3, 2, PRESENT],
    ],
    'abab',
  );
  // Private and anonymous, the second one locked.
  writeFileSync(join(images, 'mm-1.img'), mmOf([1, 3, 0x22, 1], [3, 5, 0x2022, 1]));
  const into = join(top, 'delta');
  await writeDelta({ images, parent: join(top, 'old'), into, link: '../old' });
  // CRIU's daemon for lazy pages hangs at one that it must take from the parent.
  assert.deepEqual(flagsIn(into), [IN_PARENT, PRESENT | LAZY, IN_PARENT, PRESENT]);
  await writeWhole({ images: into, into: join(top, 'whole') });
  assert.deepEqual(flagsIn(join(top, 'whole')), [PRESENT | LAZY, PRESENT]);
});

/** mm-PID.img of mappings: first page, page behind it, flags of mmap(2), status in CRIU's bits. */
const mmOf = (...areas: readonly (readonly [number, number, number, number])[]): Buffer =>
  imageOf(
    IMAGE_MAGIC.mm,
    message(
      areas.map(([start, end, flags, status]) => [
        14,
        message([
          [1, start * 4096],
          [2, end * 4096],
          [3, 0],
          [4, 0],
          [5, 3],
          [6, flags],
          [7, status],
        ]),
      ]),
    ),
  );

/** Flags of the ranges, as the bytes behind the tag of field 4. Addresses and counts are small here. */
function flagsIn(directory: string): number[] {
  const bytes = readFileSync(join(directory, 'pagemap-1.img'));
  const flags: number[] = [];
  for (let at = 8; at < bytes.length; at += 4 + bytes.readUInt32LE(at)) {
    const entry = bytes.subarray(at + 4, at + 4 + bytes.readUInt32LE(at));
    if (entry.length > 2) flags.push(entry[entry.length - 3] ?? 0);
  }
  return flags;
}

test('a page whose content the parent did not keep stays here', async (t) => {
  const top = scratch(t);
  putImages(
    join(top, 'old'),
    [
      [1, 2, 0],
      [3, 1, PRESENT],
    ],
    'c',
  );
  putImages(join(top, 'new'), [[1, 4, PRESENT]], 'abcd');
  const into = join(top, 'delta');
  await writeDelta({ images: join(top, 'new'), parent: join(top, 'old'), into, link: '../old' });
  assert.equal(show(await pagesOf(into)), '1a 2b 3^ 4d');
});

test('huge pages and rings of the kernel stay here: CRIU takes them from no parent', async (t) => {
  const top = scratch(t);
  putImages(join(top, 'old'), [[1, 6, PRESENT]], 'abcdef');
  putImages(join(top, 'new'), [[1, 6, PRESENT]], 'abcdef');
  writeFileSync(
    join(top, 'new', 'mm-1.img'),
    mmOf([1, 2, 2, 1], [2, 4, 0x40022, 1], [5, 6, 2, (1 << 13) | 1]),
  );
  const into = join(top, 'delta');
  await writeDelta({ images: join(top, 'new'), parent: join(top, 'old'), into, link: '../old' });
  assert.equal(show(await pagesOf(into)), '1^ 2b 3c 4^ 5e 6^');
});

test('pages of 64 KiB and the highest addresses are understood', async (t) => {
  const top = scratch(t);
  const high = 2 ** 48 - 2;
  const put = (name: string, letters: string): void =>
    putImages(join(top, name), [[high, 2, PRESENT]], letters, 'pagemap-shmem-9.img', 4, 65536);
  put('old', 'ab');
  put('new', 'ac');
  const into = join(top, 'delta');
  const figures = await writeDelta({
    images: join(top, 'new'),
    parent: join(top, 'old'),
    into,
    link: '../old',
  });
  assert.deepEqual(figures, { ownPages: 1, parentPages: 1, pageBytes: 65536 });
  assert.equal(show(await pagesOf(into, 'pagemap-shmem-9.img', 65536)), `${high}^ ${high + 1}c`);
  assert.deepEqual(namesIn(into), ['pagemap-shmem-9.img', 'pages-4.img', 'parent']);
});

test('a chain joins with its parent, and with all of them', async (t) => {
  const top = scratch(t);
  putImages(join(top, '1'), [[1, 4, PRESENT]], 'abcd');
  putImages(
    join(top, '2'),
    [
      [1, 2, IN_PARENT],
      [3, 1, PRESENT],
      [4, 1, IN_PARENT],
      [9, 1, PRESENT],
    ],
    'xy',
    'pagemap-1.img',
    6,
  );
  putImages(
    join(top, '3'),
    [
      [1, 1, PRESENT],
      [2, 3, IN_PARENT],
      [9, 1, IN_PARENT],
    ],
    'z',
    'pagemap-1.img',
    3,
  );
  linkParent(join(top, '2'), '../1');
  linkParent(join(top, '3'), '../2');
  const images = join(top, '3');
  const figures = await absorbParent({ images, into: join(top, '3-1'), link: '../1' });
  assert.deepEqual(figures, { ownPages: 3, parentPages: 2, pageBytes: 4096 });
  assert.equal(show(await pagesOf(join(top, '3-1'))), '1z 2^ 3x 4^ 9y');
  await assert.rejects(absorbParent({ images, into: join(top, 'no-link') }), { code: 'INTERNAL' });
  await absorbParent({ images: join(top, '3-1'), into: join(top, 'joined'), link: '../1' });
  assert.equal(show(await pagesOf(join(top, 'joined'))), '1z 2b 3x 4d 9y');
  assert.equal(existsSync(join(top, 'joined', 'parent')), false);
  await writeWhole({ images, into: join(top, 'whole') });
  assert.equal(show(await pagesOf(join(top, 'whole'))), '1z 2b 3x 4d 9y');
  assert.deepEqual(namesIn(join(top, 'whole')), ['pagemap-1.img', 'pages-1.img']);
});

test('a chain compares by content, wherever in it a page lies', async (t) => {
  const top = scratch(t);
  putImages(join(top, '1'), [[1, 3, PRESENT]], 'abc');
  putImages(
    join(top, '2'),
    [
      [1, 1, IN_PARENT],
      [2, 2, PRESENT],
    ],
    'xc',
  );
  linkParent(join(top, '2'), '../1');
  // A dump that builds on the same checkpoints as its parent: the first page is in the very same place.
  putImages(
    join(top, '3'),
    [
      [1, 1, IN_PARENT],
      [2, 2, PRESENT],
    ],
    'xC',
  );
  linkParent(join(top, '3'), '../2');
  const into = join(top, 'delta');
  await writeDelta({ images: join(top, '3'), parent: join(top, '2'), into, link: '../2' });
  assert.equal(show(await pagesOf(into)), '1^ 2^ 3C');
});

test('whole images go through FIFOs, one after another', async (t) => {
  const top = scratch(t);
  putImages(join(top, 'old'), [[1, 2, PRESENT]], 'ab');
  putImages(join(top, 'new'), [[1, 2, IN_PARENT]], '');
  putImages(join(top, 'new'), [[1, 600, PRESENT]], 'c'.repeat(600), 'pagemap-shmem-2.img', 2);
  linkParent(join(top, 'new'), '../old');
  const into = join(top, 'into');
  mkdirSync(into);
  execFileSync('mkfifo', [join(into, 'pages-1.img'), join(into, 'pages-2.img')]);
  const reading = (async (): Promise<string[]> => {
    const contents: string[] = [];
    const { readFile } = await import('node:fs/promises');
    for (const name of ['pages-1.img', 'pages-2.img'])
      contents.push(await readFile(join(into, name), 'latin1'));
    return contents;
  })();
  const figures = await writeWhole({ images: join(top, 'new'), into });
  const [first, second] = await reading;
  assert.equal(first, 'a'.repeat(4096) + 'b'.repeat(4096));
  assert.equal(second, 'c'.repeat(600 * 4096));
  assert.deepEqual(figures, { ownPages: 602, parentPages: 0, pageBytes: 4096 });
});

test('an interruption ends a wait for a reader, and removes what was made', async (t) => {
  const top = scratch(t);
  putImages(join(top, 'old'), [[1, 2, PRESENT]], 'ab');
  const into = join(top, 'into');
  mkdirSync(into);
  execFileSync('mkfifo', [join(into, 'pages-1.img')]);
  const abort = new AbortController();
  const writing = writeWhole({ images: join(top, 'old'), into, signal: abort.signal });
  abort.abort();
  await assert.rejects(writing, { code: 'INTERRUPTED' });
  const delta = {
    images: join(top, 'old'),
    parent: join(top, 'old'),
    into: join(top, 'delta'),
    link: '../old',
  };
  await assert.rejects(writeDelta({ ...delta, signal: abort.signal }), { code: 'INTERRUPTED' });
  assert.equal(existsSync(delta.into), false);
});

test('work that has begun can be interrupted, and leaves nothing', async (t) => {
  const top = scratch(t);
  for (const name of ['old', 'new']) {
    putImages(join(top, name), [[1, 32768, PRESENT]], name[0] ?? '');
    truncateSync(join(top, name, 'pages-1.img'), 32768 * 4096);
  }
  const abort = new AbortController();
  const seen: number[] = [];
  const writing = writeDelta({
    images: join(top, 'new'),
    parent: join(top, 'old'),
    into: join(top, 'delta'),
    link: '../old',
    signal: abort.signal,
    progress: ({ bytes = 0 }) => {
      seen.push(bytes);
      abort.abort();
    },
  });
  const result = await writing.catch((error: unknown) => error);
  assert.ok(seen.length > 0);
  // The thread may have been at its end already.
  if (result instanceof Error) assert.equal(existsSync(join(top, 'delta')), false);
  else assert.deepEqual(result, { ownPages: 1, parentPages: 32767, pageBytes: 4096 });
});
