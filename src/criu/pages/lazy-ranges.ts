import { join } from 'node:path';
import { pageMapNames } from '../delta/levels.ts';
import { LAZY, MAX_MAP_BYTES, parsePageTable, placeRanges } from '../delta/page-table.ts';
import { readImageBytes } from '../images.ts';
import type { Stretch } from './questions.ts';

/** What a lazy restore of images brings later, by process: ranges in order that do not overlap. Fails with IMAGE_INVALID. */
export async function lazyRanges(
  images: string,
  pageBytes: number,
): Promise<ReadonlyMap<number, readonly Stretch[]>> {
  const found = new Map<number, Stretch[]>();
  for (const name of await pageMapNames(images)) {
    const pid = /^pagemap-(\d+)\.img$/.exec(name)?.[1];
    if (pid === undefined) continue;
    const path = join(images, name);
    const table = parsePageTable(await readImageBytes(path, MAX_MAP_BYTES), path);
    placeRanges(table, pageBytes, path);
    const ranges: Stretch[] = [];
    for (let i = 0; i < table.count; i += 1) {
      if (((table.flags[i] ?? 0) & LAZY) === 0) continue;
      ranges.push({ page: table.start[i] ?? 0, pages: table.pages[i] ?? 0 });
    }
    found.set(Number(pid), ranges);
  }
  return found;
}
