import { fail } from '../../model/errors.ts';
import { IMAGE_MAGIC, iterateImage } from '../images.ts';
import { decodeMessage, optional, required } from '../protobuf.ts';

/** CRIU images/pagemap.proto: the first entry of a page map names the pages file, the others tell ranges of it. */
export const PAGEMAP_HEAD = { pagesId: required(1, 'uint32') };
export const PAGEMAP_ENTRY = {
  vaddr: required(1, 'uint64'),
  compatPages: required(2, 'uint32'),
  inParent: optional(3, 'bool'),
  flags: optional(4, 'uint32'),
  pages: optional(5, 'uint64'),
};

/** CRIU criu/include/pagemap.h PE_PARENT: the range's pages are in the checkpoint that this one builds on. */
export const IN_PARENT = 1 << 0;
/** PE_LAZY: they may be brought after the process runs again. */
export const LAZY = 1 << 1;
/** PE_PRESENT: they are in the pages file. */
export const PRESENT = 1 << 2;

/** Sizes of pages that Linux has on the machines of CRIU. The first divides all others. */
const PAGE_SIZES = [4096, 16384, 65536];
/** Bytes of the smallest page: addresses are counted in it where the size of a page is not known yet. */
const FRAME = 4096;
/** Frames of a 64-bit address space: a number holds each of them exactly. */
const ALL_FRAMES = 2 ** 52;

/** Entries are some 20 bytes: this is for 200 GiB of which every second page is another checkpoint's. */
export const MAX_MAP_BYTES = 256 << 20;

/**
 * A page map in columns, since it may have millions of ranges. Ranges are in order and do not overlap. All counts are in
 * pages; a page's number is its address divided by the size of a page.
 */
export interface PageTable {
  readonly pagesId: number;
  readonly count: number;
  /** Number of a range's first page. */
  readonly start: Float64Array;
  readonly pages: Float64Array;
  /** PRESENT, IN_PARENT or neither (the content was not kept), and LAZY. */
  readonly flags: Uint8Array;
  /** Where a range begins in the pages file; meaningless unless PRESENT. */
  readonly offset: Float64Array;
  /** Pages in the pages file. */
  readonly own: number;
}

/** Reads a page map whose `start` is still counted in frames: {@link placeRanges} must follow. */
export function parsePageTable(bytes: Uint8Array, path: string): PageTable {
  const { magic, entries } = iterateImage(bytes, path);
  const head = entries.next().value;
  if (magic !== IMAGE_MAGIC.pagemap || head === undefined) {
    return fail('IMAGE_INVALID', { message: `${path} is not a page map of CRIU` });
  }
  const { pagesId } = decodeMessage(head, PAGEMAP_HEAD);
  // An entry has at least its length, an address and a count: 8 bytes.
  let room = Math.min(1024, Math.ceil(bytes.length / 8));
  let table = columns(pagesId, room);
  let count = 0;
  let own = 0;
  const range: RawRange = { frame: 0, pages: 0, flags: 0 };
  for (const entry of entries) {
    if (!readRange(entry, range)) invalidRange(path);
    if (range.pages === 0) continue;
    if (count === room) {
      room *= 2;
      table = columns(pagesId, room, table);
    }
    table.start[count] = range.frame;
    table.pages[count] = range.pages;
    table.flags[count] = range.flags;
    if ((range.flags & PRESENT) !== 0) own += range.pages;
    count += 1;
  }
  return { ...table, count, own };
}

function columns(pagesId: number, room: number, old?: PageTable): PageTable {
  const start = new Float64Array(room);
  const pages = new Float64Array(room);
  const flags = new Uint8Array(room);
  if (old !== undefined) {
    start.set(old.start);
    pages.set(old.pages);
    flags.set(old.flags);
  }
  return { pagesId, count: 0, own: 0, start, pages, flags, offset: new Float64Array(room) };
}

const invalidRange = (path: string): never =>
  fail('IMAGE_INVALID', {
    message: `${path} has ranges that overlap, are not in order or contradict themselves`,
  });

interface RawRange {
  frame: number;
  pages: number;
  flags: number;
}

/** Fields of an entry as numbers, without an object for each: 28 bits, and what is above them. */
const field = { low: new Float64Array(6), high: new Float64Array(6) };

/** Decodes one entry; false for one that no CRIU writes. */
function readRange(entry: Uint8Array, range: RawRange): boolean {
  if (!readFields(entry)) return readOddRange(entry, range);
  const [, address = 0, compatPages = 0, inParent = -1, flags = -1, pages = -1] = field.low;
  const [, above = 0, compatAbove = 0, , , pagesAbove = 0] = field.high;
  range.frame = above * 65536 + Math.floor(address / FRAME);
  range.pages = pages === -1 ? compatAbove * 2 ** 28 + compatPages : pagesAbove * 2 ** 28 + pages;
  range.flags = flagsOf(flags === -1 ? undefined : flags, inParent > 0);
  return address % FRAME === 0 && isPlausible(range);
}

/** Reads the numbers of an entry into `field`; false where it has others, or is cut off. */
function readFields(entry: Uint8Array): boolean {
  field.low.fill(-1);
  field.high.fill(0);
  let at = 0;
  while (at < entry.length) {
    const tag = entry[at] ?? 0;
    const id = tag >> 3;
    if ((tag & 7) !== 0 || id < 1 || id > 5) return false;
    at += 1;
    let low = 0;
    let high = 0;
    let shift = 0;
    let byte = 0x80;
    for (; byte >= 0x80; at += 1, shift += 7) {
      byte = entry[at] ?? 0x100;
      if (byte === 0x100 || shift > 63) return false;
      if (shift < 28) low += (byte & 0x7f) << shift;
      else high += (byte & 0x7f) * 2 ** (shift - 28);
    }
    field.low[id] = low;
    field.high[id] = high % 2 ** 36;
  }
  return field.low[1] !== -1 && field.low[2] !== -1;
}

/** An entry with fields that this program does not know, or a broken one: fails with IMAGE_INVALID for the latter. */
function readOddRange(entry: Uint8Array, range: RawRange): boolean {
  const { vaddr, compatPages, inParent, flags, pages } = decodeMessage(entry, PAGEMAP_ENTRY);
  range.frame = Number(vaddr / BigInt(FRAME));
  range.pages = pages === undefined ? compatPages : Number(pages);
  range.flags = flagsOf(flags, inParent === true);
  return vaddr % BigInt(FRAME) === 0n && isPlausible(range);
}

/** Old versions of CRIU write no flags (criu/pagemap.c init_compat_pagemap_entry). */
const flagsOf = (flags: number | undefined, inParent: boolean): number =>
  inParent ? (flags ?? 0) | IN_PARENT : (flags ?? PRESENT);

function isPlausible({ frame, pages, flags }: RawRange): boolean {
  const both = PRESENT | IN_PARENT;
  return (flags & both) !== both && flags < 8 && frame + pages <= ALL_FRAMES;
}

/** Size of a page, if a pages file of `fileBytes` with `own` pages tells it: no image does. */
export const pageSizeOf = (fileBytes: number, own: number): number | undefined =>
  own === 0 ? undefined : PAGE_SIZES.find((size) => own * size === fileBytes);

/** Counts the ranges in pages of `pageBytes` and finds their places in the pages file. Fails with IMAGE_INVALID. */
export function placeRanges(table: PageTable, pageBytes: number, path: string): void {
  const frames = pageBytes / FRAME;
  let offset = 0;
  let last = 0;
  for (let i = 0; i < table.count; i += 1) {
    const start = (table.start[i] ?? 0) / frames;
    const pages = table.pages[i] ?? 0;
    if (!Number.isInteger(start) || start < last || (start + pages) * frames > ALL_FRAMES) invalidRange(path);
    table.start[i] = start;
    table.offset[i] = offset;
    last = start + pages;
    if (((table.flags[i] ?? 0) & PRESENT) !== 0) offset += pages;
  }
}
