import { fail } from '../../model/errors.ts';
import type { ProvidedMemory } from '../../system/userfault.ts';
import type { Missing, Piece } from './missing.ts';

/** A process whose memory is provided; its children have spaces of their own, with its number. */
export interface Provided {
  /** Its PID as the images know it. */
  readonly process: number;
  /** Of userfaultfd(2). */
  readonly descriptor: number;
  readonly missing: Missing;
  /** It has ended. */
  gone: boolean;
  /** Page from which on its missing pages are asked for next. */
  next: number;
}

export interface Placer {
  /** Puts pages into place in every process that lacks them. False: some have to wait (`again`). */
  readonly place: (process: number, page: number, bytes: Buffer) => boolean;
  /** Puts zeros into a page that nothing is missing for. */
  readonly zero: (space: Provided, page: number) => void;
  /** Whether anything waits. */
  readonly isWaiting: () => boolean;
  /** Tries once more what waits. Gives what is in place now: process, page, pages. */
  readonly again: () => readonly (readonly [number, number, number])[];
}

/** How often pages are tried, a millisecond apart, for which there is no mapping. */
const MOST_TRIES = 10_000;

interface Waiting {
  readonly process: number;
  readonly page: number;
  readonly bytes: Buffer;
  tries: number;
}

export function openPlacer({
  pageBytes,
  spaces,
  memory,
}: {
  readonly pageBytes: number;
  readonly spaces: readonly Provided[];
  readonly memory: ProvidedMemory;
}): Placer {
  let waiting: Waiting[] = [];
  let zeros: { readonly space: Provided; readonly page: number }[] = [];

  /** One piece, of which `bytes` are the content. False: it has to wait. */
  const put = (space: Provided, { start, end }: Piece, bytes: Buffer): boolean => {
    for (let page = start; page < end && !space.gone; ) {
      const placed = memory.copy(
        space.descriptor,
        page * pageBytes,
        bytes.subarray((page - start) * pageBytes, (end - start) * pageBytes),
      );
      if (placed === 'again') return false;
      if (placed === 'gone') space.gone = true;
      else if (placed === 'unmapped') {
        if (end - page === 1) return false;
        // It may go on in the next mapping.
        const middle = (page + end) >> 1;
        const half = (from: number, to: number): boolean =>
          put(
            space,
            { start: from, end: to, image: 0 },
            bytes.subarray((from - start) * pageBytes, (to - start) * pageBytes),
          );
        const isFirstIn = half(page, middle);
        return half(middle, end) && isFirstIn;
      } else {
        const pages = placed === 'exists' ? 1 : placed / pageBytes;
        if (placed === 'exists') memory.wake(space.descriptor, page * pageBytes, pageBytes);
        space.missing.drop(page, page + pages);
        page += pages;
      }
    }
    return true;
  };
  const placeAll = (process: number, page: number, bytes: Buffer): boolean => {
    const to = page + bytes.length / pageBytes;
    let isIn = true;
    for (const space of spaces) {
      if (space.process !== process || space.gone) continue;
      for (const piece of space.missing.ofImage(page, to)) {
        const at = (piece.image - page) * pageBytes;
        isIn = put(space, piece, bytes.subarray(at, at + (piece.end - piece.start) * pageBytes)) && isIn;
      }
    }
    return isIn;
  };
  const zero = (space: Provided, page: number): void => {
    if (space.gone) return;
    const placed = memory.zero(space.descriptor, page * pageBytes, pageBytes);
    if (placed === 'gone') space.gone = true;
    else if (placed === 'again') zeros.push({ space, page });
    // Where it is there already, or nothing is mapped any more, who waits will see.
    else if (placed === 'exists' || placed === 'unmapped')
      memory.wake(space.descriptor, page * pageBytes, pageBytes);
  };
  return {
    place: (process, page, bytes) => {
      const isIn = placeAll(process, page, bytes);
      if (!isIn) waiting.push({ process, page, bytes, tries: 0 });
      return isIn;
    },
    zero,
    isWaiting: () => waiting.length > 0 || zeros.length > 0,
    again: () => {
      const untouched = zeros;
      zeros = [];
      for (const { space, page } of untouched) {
        // It may have been moved here meanwhile.
        if (space.missing.at(page) === undefined) zero(space, page);
        else memory.wake(space.descriptor, page * pageBytes, pageBytes);
      }
      const tried = waiting;
      waiting = [];
      return tried.flatMap((one) => {
        const { process, page, bytes } = one;
        if (placeAll(process, page, bytes)) return [[process, page, bytes.length / pageBytes] as const];
        one.tries += 1;
        if (one.tries > MOST_TRIES) {
          fail('RESTORE_FAILED', {
            message: `process ${process} has no place for its memory at page ${page}`,
          });
        }
        waiting.push(one);
        return [];
      });
    },
  };
}
