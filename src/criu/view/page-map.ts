import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, fail } from '../../model/errors.ts';
import { IN_PARENT, PAGEMAP_ENTRY, PAGEMAP_HEAD, PRESENT } from '../delta/page-table.ts';
import { IMAGE_MAGIC, iterateImage, readImageBytes } from '../images.ts';
import { decodeMessage } from '../protobuf.ts';

/** Sizes of pages that Linux has on the machines of CRIU. */
const PAGE_SIZES = [4096, 16384, 65536];

/** Pages of a process that lie one after another, in memory as in their file. */
export interface PageRange {
  readonly address: bigint;
  /** First address behind it. */
  readonly end: bigint;
  /** `absent`: the page map names them, but their content was not kept (pages of zeros). */
  readonly where: 'present' | 'parent' | 'absent';
  /** Bytes into the pages file; meaningless unless present. */
  readonly offset: number;
}

/** pagemap-N.img and its pages-N.img. */
export interface PageMap {
  readonly pagesPath: string;
  readonly pageBytes: number;
  /** Sum of all its ranges, of the parent's as well: what checkpointctl calls the memory size. */
  readonly totalBytes: number;
  /** In the order of their addresses. Fails with IMAGE_INVALID where they are not in order. */
  readonly ranges: () => Generator<PageRange>;
}

interface RawRange {
  readonly address: bigint;
  readonly pages: bigint;
  readonly where: PageRange['where'];
}

/** Reads a page map such as `pagemap-1.img`; undefined where there is none. Fails with IMAGE_INVALID. */
export async function readPageMap(directory: string, name: string): Promise<PageMap | undefined> {
  const path = join(directory, name);
  const bytes = await readIfThere(path);
  if (bytes === undefined) return undefined;
  const { magic, entries } = iterateImage(bytes, path);
  const head = entries.next().value;
  if (magic !== IMAGE_MAGIC.pagemap || head === undefined) {
    return fail('IMAGE_INVALID', { message: `${path} is not a page map of CRIU` });
  }
  const pagesPath = join(directory, `pages-${decodeMessage(head, PAGEMAP_HEAD).pagesId}.img`);
  let all = 0n;
  let present = 0n;
  for (const range of rawRanges(bytes, path)) {
    all += range.pages;
    if (range.where === 'present') present += range.pages;
  }
  const pageBytes = pageSize(await sizeOf(pagesPath), present);
  return {
    pagesPath,
    pageBytes,
    totalBytes: Number(all) * pageBytes,
    ranges: () => placedRanges(bytes, path, pageBytes),
  };
}

function* rawRanges(bytes: Uint8Array, path: string): Generator<RawRange> {
  let isHead = true;
  for (const entry of iterateImage(bytes, path).entries) {
    if (isHead) {
      isHead = false;
      continue;
    }
    const { vaddr, compatPages, inParent, flags, pages } = decodeMessage(entry, PAGEMAP_ENTRY);
    yield { address: vaddr, pages: pages ?? BigInt(compatPages), where: whereOf(flags, inParent) };
  }
}

/** Images of old versions of CRIU have no flags: there a range is in the parent or here. */
function whereOf(flags: number | undefined, inParent: boolean | undefined): PageRange['where'] {
  if (flags === undefined) return inParent === true ? 'parent' : 'present';
  if ((flags & PRESENT) !== 0) return 'present';
  return (flags & IN_PARENT) !== 0 ? 'parent' : 'absent';
}

function* placedRanges(bytes: Uint8Array, path: string, pageBytes: number): Generator<PageRange> {
  let offset = 0;
  let last = 0n;
  for (const { address, pages, where } of rawRanges(bytes, path)) {
    const length = pages * BigInt(pageBytes);
    const end = address + length;
    if (address < last || end >= 1n << 64n) {
      fail('IMAGE_INVALID', { message: `${path} has ranges that overlap or are not in order` });
    }
    yield { address, end, where, offset };
    last = end;
    if (where === 'present') offset += Number(length);
  }
}

/** No image tells the size of a page: the pages file's size and the number of pages in it do. */
function pageSize(fileBytes: number, pages: bigint): number {
  return PAGE_SIZES.find((size) => Number(pages) * size === fileBytes) ?? 4096;
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readImageBytes(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
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
