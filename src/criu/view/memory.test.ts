import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isCryopodError } from '../../model/errors.ts';
import { IMAGE_MAGIC } from '../images.ts';
import { openMemory } from './memory.ts';
import type { MemoryArea } from './memory-areas.ts';
import { imageOf, message } from './testing.ts';

const PAGE = 4096;
const PRESENT = 4;
const PARENT = 1;
const invalid = (error: unknown): boolean => isCryopodError(error, 'IMAGE_INVALID');

function makeDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'cryopod-memory-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

type Range = readonly [address: number | bigint, pages: number, flags: number];

/** A page map, and a pages file with one letter for each page. */
function put(
  directory: string,
  name: string,
  pagesId: number,
  ranges: readonly Range[],
  letters: string,
): void {
  const entries = ranges.map(([address, pages, flags]) =>
    message([
      [1, address],
      [2, pages],
      [4, flags],
    ]),
  );
  writeFileSync(join(directory, name), imageOf(IMAGE_MAGIC.pagemap, message([[1, pagesId]]), ...entries));
  const pages = [...letters].map((letter) => Buffer.alloc(PAGE, letter));
  writeFileSync(join(directory, `pages-${pagesId}.img`), Buffer.concat(pages));
}

/** Saved pages as `ADDRESS letter`. */
async function pagesOf(directory: string, areas: readonly MemoryArea[] = []): Promise<string[]> {
  const memory = await openMemory(directory, 1, areas);
  try {
    const found: string[] = [];
    for await (const { address, bytes } of memory.chunks()) {
      for (let at = 0; at < bytes.length; at += PAGE) {
        found.push(`${(address + BigInt(at)).toString(16)} ${String.fromCharCode(bytes[at] ?? 0)}`);
      }
    }
    return found;
  } finally {
    await memory.close();
  }
}

test('pages come from their file, and those of the parent from the checkpoint before', async (t) => {
  const top = makeDirectory(t);
  for (const name of ['checkpoint', 'pre', 'first']) mkdirSync(join(top, name));
  symlinkSync('../pre', join(top, 'checkpoint', 'parent'));
  symlinkSync('../first', join(top, 'pre', 'parent'));
  const ranges: Range[] = [
    [0x1000, 1, PRESENT],
    [0x2000, 3, PARENT],
    [0x5000, 1, 0],
    [0x8000, 1, PRESENT],
  ];
  put(join(top, 'checkpoint'), 'pagemap-1.img', 1, ranges, 'az');
  const pre: Range[] = [
    [0x1000, 2, PRESENT],
    [0x3000, 2, PARENT],
  ];
  put(join(top, 'pre'), 'pagemap-1.img', 7, pre, 'bc');
  put(join(top, 'first'), 'pagemap-1.img', 1, [[0x2000, 3, PRESENT]], 'def');
  assert.deepEqual(await pagesOf(join(top, 'checkpoint')), [
    '1000 a',
    '2000 c',
    '3000 e',
    '4000 f',
    '8000 z',
  ]);
  const memory = await openMemory(join(top, 'checkpoint'), 1, []);
  t.after(() => memory.close());
  assert.equal((await memory.read(0x1ffen, 4)).toString(), 'aacc');
  assert.deepEqual(await memory.read(0x4fffn, 3), Buffer.from('f\0\0'));
  assert.deepEqual(await memory.read(0x9000n, 2), Buffer.alloc(2));
});

test('shared segments lie at the addresses where the process has mapped them', async (t) => {
  const directory = makeDirectory(t);
  put(
    directory,
    'pagemap-1.img',
    1,
    [
      [0x1000, 1, PRESENT],
      [0x9000, 1, PRESENT],
    ],
    'ab',
  );
  put(directory, 'pagemap-shmem-5.img', 2, [[0, 3, PRESENT]], 'xyz');
  const area = { access: 'rw-s', shared: true, label: '', fileId: undefined, segment: 5n };
  const areas = [{ ...area, start: 0x4000n, end: 0x6000n, offset: 0x1000n }];
  assert.deepEqual(await pagesOf(directory, areas), ['1000 a', '4000 y', '5000 z', '9000 b']);
  const overlapping = [{ ...area, start: 0n, end: 0x3000n, offset: 0n }];
  await assert.rejects(pagesOf(directory, overlapping), invalid);
});

test('damaged and hostile page maps are refused', async (t) => {
  const cases: readonly (readonly [why: string, ranges: readonly Range[], letters: string])[] = [
    ['pages file too short', [[0x1000, 2, PRESENT]], 'a'],
    [
      'ranges out of order',
      [
        [0x2000, 1, PRESENT],
        [0x1000, 1, PRESENT],
      ],
      'ab',
    ],
    [
      'ranges overlap',
      [
        [0x1000, 2, PRESENT],
        [0x2000, 1, PRESENT],
      ],
      'abc',
    ],
    ['end beyond all addresses', [[(1n << 64n) - 4096n, 2, PRESENT]], 'ab'],
    ['huge count', [[0x1000, 0xffffffff, PRESENT]], 'a'],
    ['no parent', [[0x1000, 1, PARENT]], ''],
  ];
  for (const [why, ranges, letters] of cases) {
    const directory = makeDirectory(t);
    put(directory, 'pagemap-1.img', 1, ranges, letters);
    await assert.rejects(pagesOf(directory), invalid, why);
  }
});

test('a parent that is the checkpoint itself, a circle or elsewhere is not followed for ever', async (t) => {
  const top = makeDirectory(t);
  for (const name of ['a', 'b']) {
    mkdirSync(join(top, name));
    put(join(top, name), 'pagemap-1.img', 1, [[0x1000, 1, PARENT]], '');
  }
  symlinkSync('../b', join(top, 'a', 'parent'));
  symlinkSync('../a', join(top, 'b', 'parent'));
  await assert.rejects(pagesOf(join(top, 'a')), invalid);
  const outside = makeDirectory(t);
  put(outside, 'pagemap-1.img', 1, [[0x1000, 1, PARENT]], '');
  symlinkSync(join(top, 'a'), join(outside, 'parent'));
  await assert.rejects(pagesOf(outside), invalid);
});

test('links in the place of images are not read', async (t) => {
  const directory = makeDirectory(t);
  put(directory, 'pagemap-1.img', 1, [[0x1000, 1, PRESENT]], 'a');
  rmSync(join(directory, 'pages-1.img'));
  symlinkSync('/etc/passwd', join(directory, 'pages-1.img'));
  await assert.rejects(pagesOf(directory), { code: 'ELOOP' });
});
