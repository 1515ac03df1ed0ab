import { fail } from '../../model/errors.ts';
import type { PageRange } from './protocol.ts';
import type { PageSource } from './serve.ts';
import { openWindow } from './window.ts';

type Stretch = Omit<PageRange, 'process'>;

export interface ReadAheadOptions {
  /** What the processes will need, in order. */
  readonly ranges: ReadonlyMap<number, readonly Stretch[]>;
  readonly pageBytes: number;
  /** Asks the other side; what is urgent goes before all that is not. */
  readonly ask: (range: PageRange, urgent: boolean) => void;
  /** Milliseconds. */
  readonly now?: () => number;
}

/** Pages that come over a link, in the order in which they will probably be asked for. */
export interface ReadAhead extends PageSource {
  /** Begins to ask. */
  readonly start: () => void;
  /** What was asked for has come, as a whole. Fails with RESTORE_FAILED for anything else. */
  readonly arrived: (range: PageRange, bytes: Buffer) => void;
  /** Nothing more will come. */
  readonly fail: (error: unknown) => void;
  /** Bytes that have come. */
  readonly bytes: () => number;
}

/** Pages that are asked for at once in advance: small enough that one that is urgent can go between. */
const PIECE_PAGES = 32;
/** With a page that a process waits for, its neighbours come, which it may want next. */
const AROUND_PAGES = 16;
/** Bytes that may lie here, or be under way, unasked. */
const MOST_BYTES = 64 << 20;

interface Space {
  readonly process: number;
  readonly ranges: readonly Stretch[];
  /** Range and page up to which all has been asked for in advance. */
  index: number;
  next: number;
  /** Pages that are here, or under way (undefined), and have not been read. */
  readonly pages: Map<number, Buffer | undefined>;
  /** Pages beyond `next` that were asked for out of turn. */
  readonly early: Set<number>;
}

export function readAhead({
  ranges,
  pageBytes,
  ask,
  now = () => performance.now(),
}: ReadAheadOptions): ReadAhead {
  const spaces = new Map<number, Space>();
  for (const [process, own] of ranges) {
    spaces.set(process, { process, ranges: own, index: 0, next: 0, pages: new Map(), early: new Set() });
  }
  const turn = [...spaces.values()];
  const window = openWindow(now);
  const underWay = new Map<string, { readonly pages: number; readonly at: number }>();
  let failure: { readonly error: unknown } | undefined;
  let flying = 0;
  let kept = 0;
  let came = 0;
  let wake: (() => void) | undefined;

  const request = (space: Space, { page, pages }: Stretch, urgent: boolean): void => {
    for (let i = page; i < page + pages; i += 1) {
      space.pages.set(i, undefined);
      if (urgent && i >= space.next) space.early.add(i);
    }
    underWay.set(`${space.process}:${page}`, { pages, at: now() });
    flying += pages * pageBytes;
    kept += pages * pageBytes;
    ask({ process: space.process, page, pages }, urgent);
  };
  const fill = (): void => {
    for (let idle = 0; idle < turn.length && failure === undefined; ) {
      if (flying >= window.bytes() || kept >= MOST_BYTES) return;
      const space = turn.shift() as Space;
      turn.push(space);
      const piece = nextPiece(space);
      idle = piece === undefined ? idle + 1 : 0;
      if (piece !== undefined) request(space, piece, false);
    }
  };
  const spaceOf = (process: number): Space =>
    spaces.get(process) ??
    fail('RESTORE_FAILED', {
      message: `CRIU asks for memory of a process ${process} that its images do not have`,
    });
  /** What a process does not want any more, having gone on to later pages, makes room. */
  const forgetBefore = (space: Space, page: number): void => {
    for (const [at, bytes] of space.pages) {
      if (at >= page || bytes === undefined) continue;
      space.pages.delete(at);
      kept -= pageBytes;
    }
  };
  return {
    start: fill,
    announce: ({ process, page, pages }) => {
      const space = spaceOf(process);
      const isWaitedFor = pages === 1;
      if (!isWaitedFor) {
        if (kept >= MOST_BYTES) forgetBefore(space, page);
        // What lies between has been unmapped.
        space.next = Math.max(space.next, page);
      }
      if (!space.pages.has(page)) {
        const stretch = fresh(space, page, isWaitedFor ? AROUND_PAGES : Math.min(pages, PIECE_PAGES));
        request(space, { page, pages: stretch }, true);
      }
      fill();
    },
    read: async ({ process, page, pages }) => {
      const space = spaceOf(process);
      for (;;) {
        const found = take(space, page, pages);
        kept -= found.length * pageBytes;
        fill();
        if (found.length > 0) return found;
        if (failure !== undefined) throw failure.error;
        // Given away meanwhile, such as to a child that was forked: once more.
        if (!space.pages.has(page)) request(space, { page, pages: 1 }, true);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    arrived: ({ process, page, pages }, bytes) => {
      const key = `${process}:${page}`;
      const asked = underWay.get(key);
      const space = spaces.get(process);
      if (space === undefined || asked?.pages !== pages || bytes.length !== pages * pageBytes) {
        return fail('RESTORE_FAILED', { message: 'the source sent pages that it was not asked for' });
      }
      underWay.delete(key);
      flying -= bytes.length;
      came += bytes.length;
      for (let i = 0; i < pages; i += 1) {
        space.pages.set(page + i, bytes.subarray(i * pageBytes, (i + 1) * pageBytes));
      }
      window.answered(bytes.length, asked.at, flying);
      fill();
      wake?.();
      wake = undefined;
    },
    fail: (error) => {
      failure ??= { error };
      wake?.();
      wake = undefined;
    },
    bytes: () => came,
  };
}

/** The pages that are here from `page` on; they are given away. */
function take({ pages: here }: Space, page: number, most: number): Buffer[] {
  const found: Buffer[] = [];
  for (let at = page; at < page + most; at += 1) {
    const bytes = here.get(at);
    if (bytes === undefined) break;
    here.delete(at);
    found.push(bytes);
  }
  return found;
}

/** How many pages from `page` on, within one range, are neither here nor under way. At least one. */
function fresh({ ranges, pages: here, early, next }: Space, page: number, most: number): number {
  const end = Math.min(page + most, endOf(ranges, page));
  let at = page + 1;
  while (at < end && !here.has(at) && !early.has(at) && page < next === at < next) at += 1;
  return at - page;
}

/** Where the range ends that `page` lies in. */
function endOf(ranges: readonly Stretch[], page: number): number {
  let low = 0;
  for (let high = ranges.length; low < high; ) {
    const middle = (low + high) >> 1;
    const { page: from, pages } = ranges[middle] as Stretch;
    if (from + pages <= page) low = middle + 1;
    else high = middle;
  }
  const range = ranges[low];
  return range === undefined || range.page > page ? page + 1 : range.page + range.pages;
}

/** Moves on in the ranges, past what was asked for out of turn; undefined at their end. */
function nextPiece(space: Space): Stretch | undefined {
  for (; space.index < space.ranges.length; space.index += 1) {
    const range = space.ranges[space.index] as Stretch;
    const end = range.page + range.pages;
    let page = Math.max(space.next, range.page);
    while (page < end && space.early.delete(page)) page += 1;
    let to = page;
    while (to < end && to - page < PIECE_PAGES && !space.early.has(to)) to += 1;
    space.next = to;
    if (to > page) return { page, pages: to - page };
  }
  return undefined;
}
