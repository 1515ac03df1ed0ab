import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, fail } from '../model/errors.ts';
import { IMAGE_MAGIC, readImageEntries } from './images.ts';
import { decodeMessage, optional, required } from './protobuf.ts';

/** CRIU images/pagemap.proto: the first entry of a pagemap names the pages file, the others tell ranges of it. */
export const PAGEMAP_HEAD = { pagesId: required(1, 'uint32') };
export const PAGEMAP_ENTRY = {
  vaddr: required(1, 'uint64'),
  compatPages: required(2, 'uint32'),
  inParent: optional(3, 'bool'),
  flags: optional(4, 'uint32'),
  pages: optional(5, 'uint64'),
};

/** CRIU criu/include/pagemap.h PE_PRESENT: the range's pages are in the pages file. */
export const PRESENT = 1 << 2;

/** The smallest page that Linux has: on machines with larger ones the check is weaker, never wrong. */
const PAGE_BYTES = 4096n;

/** One pages file, and how much of it the page maps need. */
export interface PageFile {
  readonly name: string;
  readonly neededBytes: bigint;
}

/** What a page map (pagemap-N.img, pagemap-shmem-N.img) needs of its pages file. Fails with IMAGE_INVALID. */
export async function neededPages(path: string): Promise<PageFile> {
  const { magic, entries } = await readImageEntries(path);
  const [head, ...ranges] = entries;
  if (magic !== IMAGE_MAGIC.pagemap || head === undefined) {
    return fail('IMAGE_INVALID', { message: `${path} is not a page map of CRIU` });
  }
  let pages = 0n;
  for (const range of ranges) {
    const entry = decodeMessage(range, PAGEMAP_ENTRY);
    const present = entry.flags === undefined ? entry.inParent !== true : (entry.flags & PRESENT) !== 0;
    if (present) pages += entry.pages ?? BigInt(entry.compatPages);
  }
  return { name: `pages-${decodeMessage(head, PAGEMAP_HEAD).pagesId}.img`, neededBytes: pages * PAGE_BYTES };
}

/**
 * Checks that every pages file of a checkpoint is as long as its page map says: CRIU (up to 4.2 at least) reads a
 * shorter one in an endless loop, filling the disk with its log. Reads page maps only, never pages. Fails with
 * IMAGE_INVALID, naming the file.
 */
export async function checkPageFiles(directory: string): Promise<void> {
  const maps = (await readdir(directory)).filter((name) => /^pagemap-(?:shmem-)?\d+\.img$/.test(name));
  for (const map of maps) {
    const { name, neededBytes } = await neededPages(join(directory, map));
    const found = await sizeOf(join(directory, name));
    if (BigInt(found) >= neededBytes) continue;
    fail('IMAGE_INVALID', {
      message: `the checkpoint is damaged: ${name} has ${found} bytes and must have ${neededBytes}`,
      hint: 'Take the checkpoint again, or copy it anew.',
    });
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0;
    throw error;
  }
}
