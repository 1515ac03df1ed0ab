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
const MAP_PRIVATE = 0x2;
const MAP_ANONYMOUS = 0x20;
const MAP_LOCKED = 0x2000;
const MAP_HUGETLB = 0x40000;
/** CRIU criu/include/image.h VMA_AREA_AIORING, VMA_EXT_PLUGIN */
const KEPT_BY_STATUS = (1 << 13) | (1 << 27);
/** VMA_AREA_VSYSCALL, VMA_AREA_VDSO, VMA_AREA_VVAR */
const OF_KERNEL = (1 << 2) | (1 << 3) | (1 << 12);

/** Pages of a process from `start` to `end`, by number. */
interface Area {
  readonly start: number;
  readonly end: number;
}

/** Finds whether a page lies in one of some areas. Pages must be asked for in ascending order. */
export interface AreaFinder {
  readonly has: (page: number) => boolean;
  /** How many pages from the last `page` on, at most `pages`, are alike in that. */
  readonly alike: (page: number, pages: number) => number;
}

export interface RestoredAreas {
  /**
   * Mappings whose pages CRIU reads from the uppermost pages file alone, whatever the page map says: huge pages and those of
   * plugins (criu/mem.c premap_priv_vmas, restore_priv_vma_content); and rings that the kernel writes, which CRIU never takes
   * from a parent.
   */
  readonly kept: AreaFinder;
  /** Mappings whose pages may come after the process runs again (criu/include/vma.h vma_entry_can_be_lazy). */
  readonly lazy: AreaFinder;
}

/**
 * What the images of a process say of how its mappings are restored. Nothing is kept or lazy where they, as those of a
 * pre-dump or of shared memory, do not tell. Fails with IMAGE_INVALID.
 */
export async function readAreas(
  directory: string,
  mapName: string,
  pageBytes: number,
): Promise<RestoredAreas> {
  const pid = /^pagemap-(\d+)\.img$/.exec(mapName)?.[1];
  const [mm] = pid === undefined ? [] : await readIfThere(join(directory, `mm-${pid}.img`));
  const those = (accept: (flags: number, status: number) => boolean): AreaFinder =>
    finder(
      (mm?.vmas ?? [])
        .filter(({ flags, status }) => accept(flags, status))
        .map(({ start, end }) => ({
          start: Number(start / BigInt(pageBytes)),
          end: Number(end / BigInt(pageBytes)),
        }))
        .sort((a, b) => a.start - b.start),
    );
  return {
    kept: those((flags, status) => (flags & MAP_HUGETLB) !== 0 || (status & KEPT_BY_STATUS) !== 0),
    lazy: those(
      (flags, status) =>
        (flags & MAP_PRIVATE) !== 0 &&
        (flags & MAP_ANONYMOUS) !== 0 &&
        (flags & (MAP_LOCKED | MAP_HUGETLB)) === 0 &&
        (status & OF_KERNEL) === 0,
    ),
  };
}

const readIfThere = (path: string): ReturnType<typeof readImage<typeof MM>> =>
  readImage(path, IMAGE_MAGIC.mm, MM, MAX_BYTES).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  });

function finder(areas: readonly Area[]): AreaFinder {
  let i = 0;
  const at = (page: number): Area => {
    while (i < areas.length && (areas[i]?.end ?? 0) <= page) i += 1;
    return areas[i] ?? { start: Number.POSITIVE_INFINITY, end: Number.POSITIVE_INFINITY };
  };
  return {
    has: (page) => at(page).start <= page,
    alike: (page, pages) => {
      const { start, end } = at(page);
      return Math.min(pages, (start <= page ? end : start) - page);
    },
  };
}
