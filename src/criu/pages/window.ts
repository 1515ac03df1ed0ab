/** How many bytes may be under way at a time, so that the link is never idle and what is urgent need not queue for long. */
export interface Window {
  readonly bytes: () => number;
  /** An answer has come: so many bytes, asked for at `askedAt` (milliseconds); `left`: bytes that are still under way. */
  readonly answered: (bytes: number, askedAt: number, left: number) => void;
}

const LEAST = 256 << 10;
const MOST = 16 << 20;
const FIRST = 1 << 20;
/** Milliseconds for which answers may queue on the link, beyond the time of the way there and back. */
const QUEUE_MS = 15;
/** Milliseconds over which the rate is measured. */
const SPAN_MS = 25;

/**
 * Rate of the link times the way there and back and a short queue. While the window is what holds the link back, the rate
 * grows with it, until the link is full.
 */
export function openWindow(now: () => number): Window {
  let bytes = FIRST;
  let shortest = Number.POSITIVE_INFINITY;
  let from = now();
  let came = 0;
  return {
    bytes: () => bytes,
    answered: (count, askedAt, left) => {
      const at = now();
      shortest = Math.min(shortest, at - askedAt);
      came += count;
      const span = at - from;
      if (span >= SPAN_MS) {
        const wanted = (came / span) * (shortest + QUEUE_MS);
        bytes = Math.min(MOST, Math.max(LEAST, (bytes + wanted) / 2));
        from = at;
        came = 0;
      } else if (left === 0) {
        // An idle link says nothing of its rate.
        from = at;
        came = 0;
      }
    },
  };
}
