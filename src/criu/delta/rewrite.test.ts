import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkPageFiles } from './check-page-files.ts';
import { IN_PARENT, LAZY, PRESENT } from './page-table.ts';
import { type RewriteJob, rewriteImages } from './rewrite.ts';
import {
  linkParent,
  type Page,
  type Pages,
  pagesOf,
  putImages,
  type Range,
  resolve,
  scratch,
} from './testing.ts';

const pulse = { beat: () => undefined };

/** What a random number makes of a page: own with one of three letters, of the parent, without content, or not there. */
const KINDS = ['a', 'b', 'c', 'parent', 'parent', 'parent', 'absent', 'none', 'none'] as const;
const PAGES = 24;
/** Pages lie around the border of 28 bits, below which addresses are put together in another way. */
const FIRST = 65536 - PAGES / 2;

const LEVEL = fc.array(
  fc.record({ kind: fc.constantFrom(...KINDS), lazy: fc.constantFrom(0, LAZY), splits: fc.boolean() }),
  {
    minLength: PAGES,
    maxLength: PAGES,
  },
);
const CHAIN = fc.array(LEVEL, { minLength: 1, maxLength: 4 });
type Level = typeof LEVEL extends fc.Arbitrary<infer T> ? T : never;

/** Writes a chain, the deepest first; a page is taken from the parent only where that one has its content. */
function putChain(
  top: string,
  prefix: string,
  levels: readonly Level[],
): { names: string[]; chain: Pages[] } {
  const names: string[] = [];
  const chain: Pages[] = [];
  for (const [i, level] of levels.entries()) {
    const below = resolve(chain);
    const pages = new Map<number, Page>();
    const ranges: [number, number, number][] = [];
    for (const [at, { kind, lazy, splits }] of level.entries()) {
      const page = FIRST + at;
      if (kind === 'none' || (kind === 'parent' && !below.has(page))) continue;
      const where = kind === 'parent' || kind === 'absent' ? kind : 'own';
      pages.set(page, where === 'own' ? { where, content: kind } : { where });
      const flags = (where === 'own' ? PRESENT : where === 'parent' ? IN_PARENT : 0) | lazy;
      const last = ranges.at(-1);
      if (!splits && last?.[2] === flags && last[0] + last[1] === page) last[1] += 1;
      else ranges.push([page, 1, flags]);
    }
    const name = `${prefix}${i}`;
    const letters = [...pages.values()].map((page) => (page.where === 'own' ? page.content : '')).join('');
    putImages(join(top, name), ranges satisfies Range[], letters, 'pagemap-1.img', i + 1);
    if (i > 0) linkParent(join(top, name), `../${prefix}${i - 1}`);
    names.unshift(name);
    chain.unshift(pages);
  }
  return { names, chain };
}

async function rewrite(job: RewriteJob): Promise<Pages> {
  mkdirSync(job.into);
  await rewriteImages(job, pulse);
  return pagesOf(job.into);
}

const absentIn = (pages: Pages): number[] =>
  [...pages].flatMap(([page, { where }]) => (where === 'absent' ? [page] : []));

test('any chain keeps its content as a delta to any other, joined and whole', async (t) => {
  const root = scratch(t);
  await fc.assert(
    fc.asyncProperty(CHAIN, CHAIN, async (ours, theirs) => {
      const top = mkdtempSync(join(root, 'run-'));
      const { names, chain } = putChain(top, 'new', ours);
      const { names: parents, chain: below } = putChain(top, 'old', theirs);
      const images = join(top, names[0] ?? '');
      const parent = join(top, parents[0] ?? '');
      await checkPageFiles(images);
      const content = resolve(chain);
      const before = resolve(below);

      const delta = await rewrite({ verb: 'delta', images, parent, into: join(top, 'delta') });
      assert.deepEqual(resolve([delta, ...below]), content);
      assert.deepEqual(absentIn(delta), absentIn(chain[0] ?? new Map()));
      for (const [page, { where }] of delta) {
        assert.equal(where === 'parent', content.has(page) && content.get(page) === before.get(page));
      }
      linkParent(join(top, 'delta'), `../${parents[0]}`);
      await checkPageFiles(join(top, 'delta'));

      const joined = await rewrite({ verb: 'absorb', images, into: join(top, 'joined') });
      assert.deepEqual(resolve([joined, ...chain.slice(2)]), content);
      const whole = await rewrite({ verb: 'whole', images, into: join(top, 'whole') });
      assert.deepEqual(resolve([whole]), content);
      await checkPageFiles(join(top, 'whole'));
      const again = await rewrite({ verb: 'whole', images: join(top, 'delta'), into: join(top, 'again') });
      assert.deepEqual(resolve([again]), content);
    }),
    { numRuns: 150 },
  );
});
