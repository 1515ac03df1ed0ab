import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IMAGE_MAGIC } from '../images.ts';
import { imageOf, message } from '../view/testing.ts';
import { IN_PARENT, PRESENT, pageSizeOf, parsePageTable, placeRanges } from './page-table.ts';

const MAX = 1n << 64n;

test('every address and count of a page map is read exactly', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: MAX / 4096n - 1n }),
      fc.bigInt({ min: 1n, max: 1n << 40n }),
      (page, pages) => {
        fc.pre(page + pages <= MAX / 4096n);
        const entry = message([
          [1, page * 4096n],
          [2, pages % (1n << 32n)],
          [4, PRESENT],
          [5, pages],
        ]);
        const table = parsePageTable(imageOf(IMAGE_MAGIC.pagemap, message([[1, 3]]), entry), 'map');
        placeRanges(table, 4096, 'map');
        assert.deepEqual(
          [table.start[0], table.pages[0], table.own],
          [Number(page), Number(pages), Number(pages)],
        );
      },
    ),
  );
});

test('entries of old versions of CRIU, and fields that nobody knows yet, are understood', () => {
  const old = message([
    [1, 0x1000],
    [2, 3],
  ]);
  const oldInParent = message([
    [1, 0x5000],
    [2, 1],
    [3, 1],
  ]);
  const later = message([
    [1, 0x9000],
    [2, 1],
    [4, PRESENT],
    [9, 'new'.length],
    [20, Buffer.from('new')],
  ]);
  const nothing = message([
    [1, 0xa000],
    [2, 0],
  ]);
  const bytes = imageOf(IMAGE_MAGIC.pagemap, message([[1, 1]]), old, oldInParent, later, nothing);
  const table = parsePageTable(bytes, 'map');
  placeRanges(table, 4096, 'map');
  assert.deepEqual([...table.start.subarray(0, table.count)], [1, 5, 9]);
  assert.deepEqual([...table.flags.subarray(0, table.count)], [PRESENT, IN_PARENT, PRESENT]);
  assert.deepEqual([...table.offset.subarray(0, table.count)], [0, 3, 3]);
});

test('addresses inside a page are refused, of large pages as well', () => {
  const entry = (address: number): Buffer =>
    message([
      [1, address],
      [2, 1],
    ]);
  const parse = (address: number, pageBytes: number): void => {
    const table = parsePageTable(imageOf(IMAGE_MAGIC.pagemap, message([[1, 1]]), entry(address)), 'map');
    placeRanges(table, pageBytes, 'map');
  };
  parse(0x10000, 65536);
  assert.throws(() => parse(0x1800, 4096), { code: 'IMAGE_INVALID' });
  assert.throws(() => parse(0x1000, 65536), { code: 'IMAGE_INVALID' });
  assert.equal(pageSizeOf(65536 * 3, 3), 65536);
  assert.equal(pageSizeOf(5000, 3), undefined);
});

test('a page map of a million ranges takes some 32 bytes for each', () => {
  const count = 1_000_000;
  const bytes = Buffer.alloc(14 + count * 16);
  imageOf(IMAGE_MAGIC.pagemap, message([[1, 1]])).copy(bytes);
  for (let i = 0, at = 14; i < count; i += 1, at += 16) {
    const entry = message([
      [1, (1n << 32n) + BigInt(i) * 8192n],
      [2, 1],
      [4, PRESENT],
    ]);
    bytes.writeUInt32LE(12, at);
    entry.copy(bytes, at + 4);
    // Pads the entry with a field that says the same again.
    if (entry.length < 12) bytes.set([0x20, PRESENT].slice(0, 12 - entry.length), at + 4 + entry.length);
  }
  const table = parsePageTable(bytes, 'map');
  placeRanges(table, 4096, 'map');
  assert.equal(table.own, count);
  assert.ok(table.start.buffer.byteLength < 32 * count);
});
