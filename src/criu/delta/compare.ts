/** Takes runs of pages, counted from the first of the compared ones. */
export interface Differences {
  readonly equal: (from: number, to: number) => void;
  readonly different: (from: number, to: number) => void;
}

/**
 * Compares two stretches of `pages` pages and tells in ascending order which are equal: first all at once, then halves, and
 * so on down to one page. memcmp does the work, and memory that did not change costs one call.
 */
export function comparePages(
  one: Buffer,
  other: Buffer,
  pageBytes: number,
  from: number,
  to: number,
  tell: Differences,
): void {
  const start = from * pageBytes;
  const end = to * pageBytes;
  if (one.compare(other, start, end, start, end) === 0) tell.equal(from, to);
  else if (to - from === 1) tell.different(from, to);
  else {
    const middle = (from + to) >>> 1;
    comparePages(one, other, pageBytes, from, middle, tell);
    comparePages(one, other, pageBytes, middle, to, tell);
  }
}
