import { join } from 'node:path';
import { errnoOf } from '../../model/errors.ts';
import { IMAGE_MAGIC, readImage } from '../images.ts';
import { repeated, required } from '../protobuf.ts';

/** CRIU images/mm.proto and vma.proto: what tells how a mapping is restored. */
const MM = {
  vmas: repeated(14, {
    start: required(1, 'uint64'),
    end: required(2, 'uint64'),
    flags: required(6, 'uint32'),
    status: required(7, 'uint32'),
  }),
};
/** Some 50 bytes a mapping, of which the kernel allows 65530 by default (vm.max_map_count). */
const MAX_BYTES = 16 << 20;

/** mmap(2) */
const MAP_HUGETLB = 0x40000;
/** CRIU criu/include/image.h VMA_AREA_AIORING, VMA_EXT_PLUGIN */
const KEPT_BY_STATUS = (1 << 13) | (1 << 27);

/** Pages of a process from `start` to `end`, by number. */
export interface OwnArea {
  readonly start: number;
  readonly end: number;
}

/**
 * Mappings of a process whose pages CRIU reads from the uppermost pages file alone, whatever the page map says: huge pages
 * and those of plugins (criu/mem.c premap_priv_vmas, restore_priv_vma_content); and rings that the kernel writes, which
 * CRIU never takes from a parent. Sorted. None where the images, as those of a pre-dump, do not tell.
 */
export async function readOwnAreas(
  directory: string,
  mapName: string,
  pageBytes: number,
): Promise<OwnArea[]> {
  const pid = /^pagemap-(\d+)\.img$/.exec(mapName)?.[1];
  if (pid === undefined) return [];
  const [mm] = await readIfThere(join(directory, `mm-${pid}.img`));
  const areas = (mm?.vmas ?? []).filter(
    ({ flags, status }) => (flags & MAP_HUGETLB) !== 0 || (status & KEPT_BY_STATUS) !== 0,
  );
  return areas
    .map(({ start, end }) => ({
      start: Number(start / BigInt(pageBytes)),
      end: Number(end / BigInt(pageBytes)),
    }))
    .sort((a, b) => a.start - b.start);
}

const readIfThere = (path: string): ReturnType<typeof readImage<typeof MM>> =>
  readImage(path, IMAGE_MAGIC.mm, MM, MAX_BYTES).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  });

/**
 * How many pages from `page` on, at most `pages`, are alike: all inside one of the areas, or all outside. The sign tells:
 * negative inside.
 */
export function alikeFrom(areas: readonly OwnArea[], page: number, pages: number): number {
  for (const { start, end } of areas) {
    if (page >= end) continue;
    if (page >= start) return -Math.min(pages, end - page);
    return Math.min(pages, start - page);
  }
  return pages;
}
