import { closeSync, constants, lstatSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../model/errors.ts';
import { IMAGE_MAGIC } from '../images.ts';
import { encodeNumbers, imageOf, putVarint } from './encode.ts';
import { IN_PARENT, LAZY, PRESENT } from './page-table.ts';
import type { Pulse } from './pulse.ts';

/** Pages are gathered up to this size before they are written. */
const GATHER_BYTES = 1 << 20;
const MAP_BUFFER_BYTES = 1 << 16;
/** Largest entry: its length, a 64-bit address, two counts and flags, each with a tag. */
const ENTRY_BYTES = 4 + 11 + 6 + 2 + 11;
/** Counts of up to CRIU 4.0 have 32 bits. */
const MAX_RANGE_PAGES = 2 ** 32 - 1;

/** A page map and its pages file in the making. Ranges must come in ascending order. */
export interface PageSink {
  /** Pages that the new checkpoint holds itself. `flags`: only LAZY of it counts. */
  readonly own: (page: number, content: Buffer, flags: number) => void;
  /** Pages that its parent has. They are never lazy: CRIU's daemon for lazy pages cannot bring them (criu/uffd.c, 4.2). */
  readonly inParent: (page: number, pages: number) => void;
  /** Pages without content, as they were. */
  readonly absent: (page: number, pages: number, flags: number) => void;
  /** Writes what is left and closes the files. */
  readonly finish: () => { readonly ownPages: number; readonly parentPages: number };
  /** Closes the files. Idempotent. */
  readonly close: () => void;
}

/** Makes the page map `name` and `pages-ID.img` in a directory. The latter may be there as a FIFO. */
export function openSink(
  directory: string,
  name: string,
  pagesId: number,
  pageBytes: number,
  pulse: Pulse,
): PageSink {
  const pages = openOutput(join(directory, `pages-${pagesId}.img`), pulse);
  const map = openSync(join(directory, name), 'wx', 0o600);
  const content = gather(pages, GATHER_BYTES);
  const entries = gather(map, MAP_BUFFER_BYTES);
  entries.put(imageOf(IMAGE_MAGIC.pagemap, encodeNumbers([[1, pagesId]])));
  let start = 0;
  let count = 0;
  let flags = -1;
  let own = 0;
  let parent = 0;
  const entry = Buffer.alloc(ENTRY_BYTES);
  const flush = (): void => {
    if (count > 0) entries.put(entry.subarray(0, encodeRange(entry, start, count, flags, pageBytes)));
    count = 0;
  };
  const range = (page: number, pages: number, which: number): void => {
    if (count > 0 && which === flags && page === start + count && count + pages <= MAX_RANGE_PAGES) {
      count += pages;
      return;
    }
    flush();
    start = page;
    count = pages;
    flags = which;
  };
  let isOpen = true;
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    closeSync(pages);
    closeSync(map);
  };
  return {
    own: (page, bytes, which) => {
      range(page, bytes.length / pageBytes, (which & LAZY) | PRESENT);
      content.put(bytes);
      own += bytes.length / pageBytes;
    },
    inParent: (page, pages) => {
      range(page, pages, IN_PARENT);
      parent += pages;
    },
    absent: range,
    finish: () => {
      flush();
      content.flush();
      entries.flush();
      close();
      return { ownPages: own, parentPages: parent };
    },
    close,
  };
}

interface Gatherer {
  readonly put: (bytes: Buffer) => void;
  readonly flush: () => void;
}

/** Joins small pieces to one write; large ones go as they are. */
function gather(fd: number, room: number): Gatherer {
  const buffer = Buffer.allocUnsafeSlow(room);
  let used = 0;
  const flush = (): void => {
    writeAll(fd, buffer.subarray(0, used));
    used = 0;
  };
  return {
    put: (bytes) => {
      if (used + bytes.length > room) flush();
      if (bytes.length >= room / 2) {
        flush();
        writeAll(fd, bytes);
        return;
      }
      bytes.copy(buffer, used);
      used += bytes.length;
    },
    flush,
  };
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}

/** Milliseconds between looks whether a FIFO has got its reader. */
const FIFO_WAIT = 2;

/**
 * Opens a new file, or a FIFO that is there. An open(2) that waits for a FIFO's reader could not be cancelled, so this
 * asks again and again.
 */
function openOutput(path: string, pulse: Pulse): number {
  const isFifo = lstatSync(path, { throwIfNoEntry: false })?.isFIFO() === true;
  if (!isFifo) return openSync(path, 'wx', 0o600);
  const { O_WRONLY, O_NONBLOCK, O_NOFOLLOW } = constants;
  for (;;) {
    const first = tryOpen(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW);
    if (first !== undefined) {
      // The same FIFO once more, so that writes wait for the reader.
      const fd = openSync(`/proc/self/fd/${first}`, O_WRONLY);
      closeSync(first);
      return fd;
    }
    pulse.beat(0);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FIFO_WAIT);
  }
}

function tryOpen(path: string, flags: number): number | undefined {
  try {
    return openSync(path, flags);
  } catch (error) {
    if (errnoOf(error) === 'ENXIO') return undefined;
    throw error;
  }
}

/**
 * An entry of CRIU images/pagemap.proto with its length before it. Both counts are written: up to 4.0 CRIU knows only the
 * first, later ones prefer the second.
 */
function encodeRange(entry: Buffer, start: number, pages: number, flags: number, pageBytes: number): number {
  // 4096-byte frames below and above 28 bits of the address.
  const frames = start * (pageBytes / 4096);
  const low = pages % 2 ** 28;
  const high = Math.floor(pages / 2 ** 28);
  let at = 4;
  entry[at] = 1 << 3;
  at = putVarint(entry, at + 1, (frames % 65536) * 4096, Math.floor(frames / 65536));
  entry[at] = 2 << 3;
  at = putVarint(entry, at + 1, low, high);
  entry[at] = 4 << 3;
  entry[at + 1] = flags;
  entry[at + 2] = 5 << 3;
  at = putVarint(entry, at + 3, low, high);
  entry.writeUInt32LE(at - 4, 0);
  return at;
}
