import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missingPages, type Piece } from './missing.ts';

const piece = (start: number, end: number, image = start): Piece => ({ start, end, image });
/** Every page from 0 to 100 with its number in the images. */
const listed = (missing: ReturnType<typeof missingPages>): string =>
  Array.from({ length: 100 }, (_, page) => {
    const found = missing.at(page);
    return found === undefined ? [] : [`${page}=${found.image + page - found.start}`];
  })
    .flat()
    .join(' ');

test('pages that came, or that nobody wants, leave the rest with its numbers', () => {
  const missing = missingPages([piece(10, 20), piece(30, 33), piece(33, 35, 50)]);
  missing.drop(12, 15);
  missing.drop(18, 31);
  assert.equal(listed(missing), '10=10 11=11 15=15 16=16 17=17 31=31 32=32 33=50 34=51');
  assert.deepEqual(missing.from(12), piece(15, 18));
  assert.deepEqual(missing.from(34), piece(33, 35, 50));
  assert.equal(missing.from(35), undefined);
  missing.drop(0, 100);
  assert.ok(missing.isEmpty());
});

test('memory that is moved keeps its numbers in the images, and takes the place of what was there', () => {
  const missing = missingPages([piece(10, 20), piece(40, 50)]);
  missing.move(15, 42, 10);
  assert.equal(listed(missing), '10=10 11=11 12=12 13=13 14=14 40=40 41=41 42=15 43=16 44=17 45=18 46=19');
  missing.move(40, 0, 4);
  assert.equal(listed(missing), '0=40 1=41 2=15 3=16 10=10 11=11 12=12 13=13 14=14 44=17 45=18 46=19');
  assert.deepEqual(missing.ofImage(14, 18), [piece(2, 4, 15), piece(14, 15, 14), piece(44, 45, 17)]);
});

test('a child has the same, on its own', () => {
  const missing = missingPages([piece(1, 3)]);
  const child = missing.copy();
  missing.drop(1, 2);
  assert.equal(listed(child), '1=1 2=2');
  assert.equal(listed(missing), '2=2');
});
