import assert from 'node:assert/strict';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readImageBytes } from '../images.ts';
import { readAreas } from './areas.ts';
import { expectedInOrder } from './expected-pages.ts';
import { loadLevels } from './levels.ts';
import { matchStream } from './match-stream.ts';
import { openRecord } from './page-record.ts';
import { PRESENT, parsePageTable, placeRanges } from './page-table.ts';
import { makePulse } from './pulse.ts';
import { pagesOf, putImages, type Range, resolve, scratch } from './testing.ts';
import { writeRecorded } from './write-recorded.ts';

const MAP = 'pagemap-1.img';
const PAGE = 4096;
const pulse = makePulse(new Int32Array(1), () => undefined);

/** Ranges of pages that do not touch. */
const ranges = (gaps: readonly (readonly [gap: number, pages: number])[]): Range[] => {
  let at = 1;
  return gaps.map(([gap, pages]) => {
    const start = at + gap;
    at = start + pages + 1;
    return [start, pages, PRESENT] as const;
  });
};

const count = (list: readonly Range[]): number => list.reduce((sum, [, pages]) => sum + pages, 0);

interface Case {
  readonly dumped: readonly Range[];
  readonly content: string;
  readonly expected: readonly Range[];
}

/** Makes the delta of what was `dumped` to the images in `parent` in a directory, and gives it. */
async function deltaOf(directory: string, { dumped, content, expected }: Case) {
  putImages(join(directory, 'dumped'), dumped, content);
  const into = join(directory, 'into');
  mkdirSync(into);
  const [parent] = await loadLevels([[join(directory, 'parent')]], MAP, PAGE);
  if (parent === undefined) throw new Error('no parent');
  const record = openRecord(join(into, 'own'), PAGE);
  const fd = openSync(join(directory, 'dumped/pages-1.img'), 'r');
  const order = expectedInOrder(
    expected.map(([start]) => start),
    expected.map(([, pages]) => pages),
  );
  matchStream(fd, { parent, expected: order, record, pulse });
  closeSync(fd);
  const path = join(directory, 'dumped', MAP);
  const table = parsePageTable(await readImageBytes(path), path);
  placeRanges(table, PAGE, path);
  const areas = await readAreas(join(directory, 'dumped'), MAP, PAGE);
  const figures = writeRecorded({ name: MAP, table, record, parent, areas, into, pulse });
  record.close();
  return { figures, pages: await pagesOf(into) };
}

describe('a stream of pages beside those of a parent', () => {
  it('gives the memory that was dumped, whatever order of pages was expected', async (t) => {
    const some = fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 9 })), {
      minLength: 1,
      maxLength: 9,
    });
    const letters = fc.infiniteStream(fc.constantFrom('a', 'b', '\0'));
    await fc.assert(
      fc.asyncProperty(some, some, some, letters, letters, async (below, above, wrong, old, now) => {
        const directory = scratch(t);
        const [parent, dumped] = [ranges(below), ranges(above)];
        putImages(join(directory, 'parent'), parent, [...old.take(count(parent))].join(''));
        const content = [...now.take(count(dumped))].join('');
        const { pages } = await deltaOf(directory, { dumped, content, expected: ranges(wrong) });
        const whole = await pagesOf(join(directory, 'dumped'));
        assert.deepEqual(resolve([pages, await pagesOf(join(directory, 'parent'))]), resolve([whole]));
      }),
      { numRuns: 60 },
    );
  });

  it('finds its place again where pages came that nobody expected', async (t) => {
    const directory = scratch(t);
    const parent: Range[] = [[100, 2000, PRESENT]];
    const content = Array.from({ length: 2000 }, (_, i) => String.fromCharCode(33 + ((i * i) % 89)));
    putImages(join(directory, 'parent'), parent, content.join(''));
    const dumped: Range[] = [[90, 3, PRESENT], ...parent];
    const { figures } = await deltaOf(directory, {
      dumped,
      content: `xyz${content.join('')}`,
      expected: parent,
    });
    assert.ok(figures.parentPages > 1700, JSON.stringify(figures));
    const exact = scratch(t);
    putImages(join(exact, 'parent'), parent, content.join(''));
    const best = await deltaOf(exact, { dumped, content: `xyz${content.join('')}`, expected: dumped });
    assert.deepEqual(best.figures, { ownPages: 3, parentPages: 2000 });
    assert.equal(best.pages.get(100)?.where, 'parent');
  });
});
