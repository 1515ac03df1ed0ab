import type { Piece } from './missing.ts';
import type { Provided } from './placer.ts';
import { openWindow } from './window.ts';

/** Some pages of a process: its PID as the images know it, and the number of the first page (address / size of a page). */
export interface PageRange {
  readonly process: number;
  readonly page: number;
  readonly pages: number;
}

export type Stretch = Omit<PageRange, 'process'>;

/** What is asked for, and when: so that the link is full, and what a process waits for comes soon. */
export interface Questions {
  /** Pages may be asked for in advance from now on. */
  readonly begin: () => void;
  /** A process waits for `page`, which lies in `piece`; its neighbours come with it. */
  readonly urgent: (space: Provided, piece: Piece, page: number) => void;
  /** An answer has come. False: it was not asked for. */
  readonly answered: (range: PageRange, bytes: number) => boolean;
  /** These pages are in place. */
  readonly placed: (process: number, page: number, pages: number) => void;
  /** Asks in advance for as much as the link can take. */
  readonly fill: () => void;
}

/** Pages that are asked for at once in advance: small enough that one that is urgent can go between. */
const PIECE_PAGES = 32;
/** With a page that a process waits for comes the block of so many pages that it lies in. */
const BLOCK_PAGES = 16;
/** Bytes in advance on their way while processes wait for pages: a few milliseconds of a fast link. */
const CALM_BYTES = 256 << 10;
/** Milliseconds without an urgent question after which processes are taken to have what they need. */
const CALM_MS = 50;

const keyOf = (process: number, page: number): string => `${process}:${page}`;

export function openQuestions({
  pageBytes,
  spaces,
  ask,
  now = () => performance.now(),
}: {
  readonly pageBytes: number;
  readonly spaces: readonly Provided[];
  readonly ask: (range: PageRange, urgent: boolean) => void;
  readonly now?: () => number;
}): Questions {
  const window = openWindow(now);
  const underWay = new Map<string, { readonly pages: number; readonly at: number }>();
  /** Pages that are under way, or have come and are not in place. */
  const asked = new Map<number, Set<number>>();
  let flying = 0;
  let begun = false;
  let urgentAt = Number.NEGATIVE_INFINITY;
  let turn = 0;

  const request = (range: PageRange, urgent: boolean): void => {
    const { process, page, pages } = range;
    const own = asked.get(process) ?? new Set();
    asked.set(process, own);
    for (let i = page; i < page + pages; i += 1) own.add(i);
    underWay.set(keyOf(process, page), { pages, at: now() });
    flying += pages * pageBytes;
    ask(range, urgent);
  };
  const isAsked = ({ process }: Provided, page: number): boolean => asked.get(process)?.has(page) === true;
  /** How many pages of the piece from `page` on have not been asked for, at most so many. */
  const unasked = (space: Provided, { start, end, image }: Piece, page: number, most: number): number => {
    const to = Math.min(end, page + most);
    let at = page;
    while (at < to && !isAsked(space, image + at - start)) at += 1;
    return at - page;
  };
  /** The next pages that the space lacks and nobody has asked for; past the last it begins anew. */
  const nextOf = (space: Provided): PageRange | undefined => {
    const begunAt = space.next;
    for (let hasTurned = false; ; ) {
      const piece = space.missing.from(space.next);
      if (piece === undefined || (hasTurned && piece.start >= begunAt)) {
        if (hasTurned || begunAt === 0) return undefined;
        [hasTurned, space.next] = [true, 0];
        continue;
      }
      const page = Math.max(space.next, piece.start);
      const pages = unasked(space, piece, page, PIECE_PAGES);
      space.next = page + Math.max(pages, 1);
      if (pages > 0) return { process: space.process, page: piece.image + page - piece.start, pages };
      if (hasTurned && space.next >= begunAt) return undefined;
    }
  };
  const limit = (): number =>
    now() - urgentAt < CALM_MS ? Math.min(CALM_BYTES, window.bytes()) : window.bytes();
  return {
    begin: () => {
      begun = true;
    },
    urgent: (space, piece, page) => {
      urgentAt = now();
      if (isAsked(space, piece.image + page - piece.start)) return;
      let first = page;
      while (
        first > piece.start &&
        first % BLOCK_PAGES > 0 &&
        !isAsked(space, piece.image + first - 1 - piece.start)
      )
        first -= 1;
      const pages = unasked(space, piece, first, page - (page % BLOCK_PAGES) + BLOCK_PAGES - first);
      request({ process: space.process, page: piece.image + first - piece.start, pages }, true);
    },
    answered: ({ process, page, pages }, bytes) => {
      const question = underWay.get(keyOf(process, page));
      if (question?.pages !== pages || bytes !== pages * pageBytes) return false;
      underWay.delete(keyOf(process, page));
      flying -= bytes;
      window.answered(bytes, question.at, flying);
      return true;
    },
    placed: (process, page, pages) => {
      for (let i = page; i < page + pages; i += 1) asked.get(process)?.delete(i);
    },
    fill: () => {
      if (!begun) return;
      for (let idle = 0; idle < spaces.length && flying < limit(); turn += 1) {
        const space = spaces[turn % spaces.length] as Provided;
        const range = space.gone ? undefined : nextOf(space);
        idle = range === undefined ? idle + 1 : 0;
        if (range !== undefined) request(range, false);
      }
    },
  };
}
