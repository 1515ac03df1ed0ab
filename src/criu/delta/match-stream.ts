import { readSync } from 'node:fs';
import { comparePages } from './compare.ts';
import { openCursor } from './cursor.ts';
import type { ExpectedPages } from './expected-pages.ts';
import type { Levels } from './levels.ts';
import type { PageRecord } from './page-record.ts';
import { WINDOW_BYTES } from './pages-file.ts';
import type { Pulse } from './pulse.ts';

/** So many pages that differ from the parent's, with few between them that do not, look like a wrong expectation. */
const LOST = 64;
/** Places to each side at which the stream is looked for again. */
const REACH = 128;
/** Pages that must agree there: a single one may be in many places. */
const ALIKE = 4;
/** Searches in one stream that find nothing: memory may really have changed as much. */
const SEARCHES = 256;

interface Matching {
  /** Pages of the parent. */
  readonly parent: Levels;
  readonly expected: ExpectedPages;
  readonly record: PageRecord;
  readonly pulse: Pulse;
}

/**
 * Reads pages from the descriptor `fd` to its end and records which of them the parent has. Where each belongs is only
 * expected: a wrong expectation costs space and nothing else, as the record tells what was compared with what.
 */
export function matchStream(fd: number, { parent, expected, record, pulse }: Matching): void {
  const { pageBytes } = parent;
  const window = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  let cursor = openCursor(parent);
  /** Place in the expected order. */
  let place = 0;
  let differing = 0;
  let failedSearches = 0;
  /** Compares what begins the content; gives how many pages of it are done. */
  const step = (content: Buffer): number => {
    const pages = content.length / pageBytes;
    const due = expected.at(place);
    const found = due === undefined ? undefined : cursor.at(due.page);
    const count = Math.min(pages, due?.pages ?? pages, found?.pages ?? pages);
    const part = content.subarray(0, count * pageBytes);
    if (due === undefined || found?.kind !== 'own') {
      record.addOwn(part);
    } else {
      comparePages(part, cursor.read(found, count), pageBytes, 0, count, {
        equal: (from, to) => {
          record.addSame(to - from, due.page + from);
          // Some pages agree by chance.
          differing = Math.max(0, differing - 2 * (to - from));
        },
        different: (from, to) => {
          record.addOwn(part.subarray(from * pageBytes, to * pageBytes));
          differing += to - from;
        },
      });
    }
    place += count;
    return count;
  };
  const search = (content: Buffer): void => {
    differing = 0;
    const shift = searchNear(content.subarray(0, ALIKE * pageBytes), place, expected, parent);
    if (shift === undefined) {
      failedSearches += 1;
      return;
    }
    place += shift;
    cursor.close();
    cursor = openCursor(parent);
  };
  try {
    for (let filled = fill(fd, window); filled > 0; filled = fill(fd, window)) {
      pulse.beat(filled);
      for (let at = 0; at < filled; ) {
        if (differing >= LOST && failedSearches < SEARCHES) search(window.subarray(at, filled));
        at += step(window.subarray(at, filled)) * pageBytes;
      }
    }
  } finally {
    cursor.close();
  }
}

/** How far from a place of the expected order the parent has this content; the nearest such place. */
function searchNear(
  content: Buffer,
  place: number,
  expected: ExpectedPages,
  parent: Levels,
): number | undefined {
  const { pageBytes } = parent;
  // Pages of zeros are everywhere.
  if (content.equals(Buffer.alloc(content.length))) return undefined;
  const near = readNear(place - REACH, 2 * REACH + ALIKE, expected, parent);
  for (let distance = 1; distance <= REACH; distance += 1) {
    for (const shift of [distance, -distance]) {
      const at = (REACH + shift) * pageBytes;
      if (near.subarray(at, at + content.length).equals(content)) return shift;
    }
  }
  return undefined;
}

/** What the parent has at so many places of the expected order; zeros where it has nothing. */
function readNear(first: number, count: number, expected: ExpectedPages, parent: Levels): Buffer {
  const { pageBytes } = parent;
  const bytes = Buffer.alloc(count * pageBytes);
  const cursor = openCursor(parent);
  try {
    for (let i = 0; i < count; i += 1) {
      const due = expected.at(first + i);
      const found = due && cursor.at(due.page);
      if (found?.kind === 'own') cursor.read(found, 1).copy(bytes, i * pageBytes);
    }
  } finally {
    cursor.close();
  }
  return bytes;
}

/** Fills the window but at the end of the stream. */
function fill(fd: number, window: Buffer): number {
  let filled = 0;
  while (filled < window.length) {
    const got = readSync(fd, window, filled, window.length - filled, null);
    if (got === 0) break;
    filled += got;
  }
  return filled;
}
