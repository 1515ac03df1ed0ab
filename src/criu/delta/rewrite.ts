import { copyFile, link, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, fail } from '../../model/errors.ts';
import { chainOf, PARENT_LINK } from './chain.ts';
import { comparePages } from './compare.ts';
import { type Found, openCursor, type PageCursor } from './cursor.ts';
import type { DeltaFigures } from './figures.ts';
import { type Level, type Levels, loadLevels, pageMapNames } from './levels.ts';
import { alikeFrom, type OwnArea, readOwnAreas } from './own-areas.ts';
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
    if (job.verb === 'delta' && parent !== undefined) {
      const areas = await readOwnAreas(job.images, name, pageBytes);
      writeDifferences(top, cursor, parent, areas, sink, pulse);
    } else {
      copyPages(top, cursor, job.verb === 'absorb' ? 1 : undefined, sink, pulse);
    }
    return { ...sink.finish(), pageBytes };
  } finally {
    sink.close();
    cursor.close();
  }
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
function copyPages(
  top: Level,
  cursor: PageCursor,
  maxDepth: number | undefined,
  sink: PageSink,
  pulse: Pulse,
): void {
  eachStretch(top, (page, pages) => {
    const found = cursor.at(page, maxDepth);
    const count = Math.min(pages, found.pages);
    if (found.kind === 'own') return copyOwn(page, count, found, cursor, sink, pulse);
    if (found.kind === 'absent') sink.absent(page, count, found.flags);
    else sink.inParent(page, count, found.flags);
    return count;
  });
}

/** As many as go at once. */
function copyOwn(
  page: number,
  pages: number,
  found: Found,
  cursor: PageCursor,
  sink: PageSink,
  pulse: Pulse,
): number {
  const count = Math.min(pages, WINDOW_BYTES / cursor.pageBytes);
  pulse.beat(count * cursor.pageBytes);
  sink.own(page, cursor.read(found, count), found.flags);
  return count;
}

function writeDifferences(
  top: Level,
  cursor: PageCursor,
  parent: Levels,
  areas: readonly OwnArea[],
  sink: PageSink,
  pulse: Pulse,
): void {
  const base = openCursor(parent);
  const most = WINDOW_BYTES / cursor.pageBytes;
  try {
    eachStretch(top, (page, pages) => {
      const found = cursor.at(page);
      const before = base.at(page);
      const alike = alikeFrom(areas, page, Math.min(pages, found.pages));
      const count = Math.min(Math.abs(alike), before.pages);
      if (found.kind !== 'own') {
        sink.absent(page, count, found.flags);
        return count;
      }
      if (alike < 0 || before.kind !== 'own') return copyOwn(page, count, found, cursor, sink, pulse);
      if (isSamePlace(found, cursor, before, base)) {
        sink.inParent(page, count, found.flags);
        return count;
      }
      const some = Math.min(count, most);
      pulse.beat(some * cursor.pageBytes);
      const content = cursor.read(found, some);
      writeCompared(page, some, content, found.flags, base.read(before, some), cursor.pageBytes, sink);
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
    equal: (from, to) => sink.inParent(page + from, to - from, flags),
    different: (from, to) => sink.own(page + from, content.subarray(from * pageBytes, to * pageBytes), flags),
  });
}
