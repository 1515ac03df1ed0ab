import { copyFile, link, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, fail } from '../../model/errors.ts';
import { type RestoredAreas, readAreas } from './areas.ts';
import { chainOf, PARENT_LINK } from './chain.ts';
import { comparePages } from './compare.ts';
import { type Found, openCursor, type PageCursor } from './cursor.ts';
import type { DeltaFigures } from './figures.ts';
import { type Level, type Levels, loadLevels, pageMapNames } from './levels.ts';
import { LAZY } from './page-table.ts';
import { WINDOW_BYTES } from './pages-file.ts';
import type { Pulse } from './pulse.ts';
import { openSink, type PageSink } from './sink.ts';

/** New images in the directory `into` from those in `images`. Symbolic links are the caller's. */
export type RewriteJob =
  | { readonly verb: 'delta'; readonly images: string; readonly parent: string; readonly into: string }
  | { readonly verb: 'absorb' | 'whole'; readonly images: string; readonly into: string };

/**
 * Does the job. All page maps are checked before anything is written. Fails with IMAGE_INVALID, INTERRUPTED or the system's
 * error.
 */
export async function rewriteImages(job: RewriteJob, pulse: Pulse): Promise<DeltaFigures> {
  const chains = [await chainOf(job.images)];
  if (job.verb === 'delta') chains.push(await chainOf(job.parent));
  const names = await pageMapNames(job.images);
  const others = await otherFiles(job.images, names);
  const ids = new Set<number>();
  for (const name of names) {
    const [top] = await loadLevels(chains, name);
    const id = top?.levels[0]?.table.pagesId ?? 0;
    if (ids.has(id))
      fail('IMAGE_INVALID', { message: `${job.images} has two page maps for pages-${id}.img` });
    ids.add(id);
  }
  for (const name of others) await linkOrCopy(join(job.images, name), join(job.into, name));
  const sum = { ownPages: 0, parentPages: 0, pageBytes: 4096 };
  for (const [i, name] of names.entries()) {
    const { ownPages, parentPages, pageBytes } = await rewriteMap(job, chains, name, i + 1, pulse);
    sum.ownPages += ownPages;
    sum.parentPages += parentPages;
    sum.pageBytes = Math.max(sum.pageBytes, pageBytes);
  }
  return sum;
}

/** All but page maps, pages and the link to the parent. */
async function otherFiles(directory: string, pageMaps: readonly string[]): Promise<string[]> {
  const known = new Set([...pageMaps, PARENT_LINK]);
  const entries = await readdir(directory, { withFileTypes: true });
  const others = entries.filter(({ name }) => !known.has(name) && !/^pages-\d+\.img$/.test(name));
  for (const entry of others) {
    if (!entry.isFile()) {
      fail('IMAGE_INVALID', { message: `${join(directory, entry.name)} is not a regular file` });
    }
  }
  return others.map(({ name }) => name);
}

/** Gives the directory `into` all files of images but page maps and pages. */
export async function copyOtherFiles(
  images: string,
  pageMaps: readonly string[],
  into: string,
): Promise<void> {
  for (const name of await otherFiles(images, pageMaps))
    await linkOrCopy(join(images, name), join(into, name));
}

/** Images are never changed once they are written: two checkpoints share them where the file system lets them. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (errnoOf(error) !== 'EXDEV') throw error;
    await copyFile(from, to);
  }
}

async function rewriteMap(
  job: RewriteJob,
  chains: readonly (readonly string[])[],
  name: string,
  number: number,
  pulse: Pulse,
): Promise<DeltaFigures> {
  const [images, parent] = await loadLevels(chains, name);
  const top = images?.levels[0];
  if (images === undefined || top === undefined) {
    return fail('IMAGE_INVALID', { message: `${join(job.images, name)} went away` });
  }
  const { pageBytes } = images;
  if (job.verb === 'delta' && parent?.levels.length === 0 && images.levels.length === 1) {
    await linkOrCopy(top.mapPath, join(job.into, name));
    await linkOrCopy(top.pagesPath, join(job.into, `pages-${top.table.pagesId}.img`));
    return { ownPages: top.table.own, parentPages: 0, pageBytes };
  }
  const pagesId = job.verb === 'whole' ? number : top.table.pagesId;
  const cursor = openCursor(images);
  const sink = openSink(job.into, name, pagesId, pageBytes, pulse);
  try {
    const areas = await readAreas(job.images, name, pageBytes);
    const work: Work = { top, cursor, areas, sink, pulse };
    if (job.verb === 'delta' && parent !== undefined) writeDifferences(work, parent);
    else copyPages(work, job.verb === 'absorb' ? 1 : undefined);
    return { ...sink.finish(), pageBytes };
  } finally {
    sink.close();
    cursor.close();
  }
}

/** One page map in the making. */
interface Work {
  readonly top: Level;
  readonly cursor: PageCursor;
  readonly areas: RestoredAreas;
  readonly sink: PageSink;
  readonly pulse: Pulse;
}

/** Calls `visit` for each stretch of a page map's ranges; it says how many of the pages it is done with. */
function eachStretch({ table }: Level, visit: (page: number, pages: number) => number): void {
  for (let i = 0; i < table.count; i += 1) {
    const start = table.start[i] ?? 0;
    const end = start + (table.pages[i] ?? 0);
    for (let page = start; page < end; ) page += visit(page, end - page);
  }
}

/** Content of all pages down to `maxDepth`, of deeper ones the note that the parent has them. */
function copyPages(work: Work, maxDepth: number | undefined): void {
  const { top, cursor, sink } = work;
  eachStretch(top, (page, pages) => {
    const found = cursor.at(page, maxDepth);
    const count = Math.min(pages, found.pages);
    if (found.kind === 'own') return copyOwn(work, page, count, found);
    if (found.kind === 'absent') sink.absent(page, count, found.flags);
    else sink.inParent(page, count);
    return count;
  });
}

/** As many as go at once. */
function copyOwn({ cursor, areas, sink, pulse }: Work, page: number, pages: number, found: Found): number {
  const alike = found.depth === 0 ? pages : areas.lazy.alike(page, pages);
  const count = Math.min(alike, WINDOW_BYTES / cursor.pageBytes);
  pulse.beat(count * cursor.pageBytes);
  sink.own(page, cursor.read(found, count), lazyFlag(areas, page, found));
  return count;
}

/** Pages of a parent were marked for its mappings, and not at all where they come from its parent: these ones decide. */
function lazyFlag({ lazy }: RestoredAreas, page: number, { depth, flags }: Found): number {
  if (depth === 0) return flags;
  return lazy.has(page) ? LAZY : 0;
}

function writeDifferences(work: Work, parent: Levels): void {
  const { top, cursor, areas, sink, pulse } = work;
  const base = openCursor(parent);
  const most = WINDOW_BYTES / cursor.pageBytes;
  try {
    eachStretch(top, (page, pages) => {
      const found = cursor.at(page);
      const before = base.at(page);
      const count = areas.kept.alike(page, Math.min(pages, found.pages, before.pages));
      if (found.kind !== 'own') {
        sink.absent(page, count, found.flags);
        return count;
      }
      if (areas.kept.has(page) || before.kind !== 'own') return copyOwn(work, page, count, found);
      if (isSamePlace(found, cursor, before, base)) {
        sink.inParent(page, count);
        return count;
      }
      const some = areas.lazy.alike(page, Math.min(count, most));
      pulse.beat(some * cursor.pageBytes);
      const content = cursor.read(found, some);
      const flags = lazyFlag(areas, page, found);
      writeCompared(page, some, content, flags, base.read(before, some), cursor.pageBytes, sink);
      return some;
    });
  } finally {
    base.close();
  }
}

/** Two chains may share a checkpoint, or a file by hard links: what is in the same place need not be read. */
const isSamePlace = (one: Found, ones: PageCursor, other: Found, others: PageCursor): boolean =>
  one.offset === other.offset && ones.file(one.depth).identity === others.file(other.depth).identity;

/** Writes to `sink` of `content`, which lies at `page`, what differs from `before`. */
export function writeCompared(
  page: number,
  pages: number,
  content: Buffer,
  flags: number,
  before: Buffer,
  pageBytes: number,
  sink: PageSink,
): void {
  comparePages(content, before, pageBytes, 0, pages, {
    equal: (from, to) => sink.inParent(page + from, to - from),
    different: (from, to) => sink.own(page + from, content.subarray(from * pageBytes, to * pageBytes), flags),
  });
}
