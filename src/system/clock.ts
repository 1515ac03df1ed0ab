/** Now, in the form that containers' records use: UTC, nine fractional digits (JavaScript knows only three of them). */
export const timestamp = (date: Date = new Date()): string => date.toISOString().replace('Z', '000000Z');

/** Microseconds since an arbitrary start, never going back. */
export const monotonicMicroseconds = (): number => Number(process.hrtime.bigint() / 1000n);

export const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });

/**
 * Polls until `condition` gives something other than undefined or false; returns undefined when `limit` milliseconds
 * have passed. Starts at 1 ms and slows down to 50 ms, so that short waits cost little. Throws the reason of `signal` once
 * that aborts and there is still something to wait for.
 */
export async function waitFor<T>(
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  limit: number,
  signal?: AbortSignal,
): Promise<T | undefined> {
  const end = performance.now() + limit;
  for (let pause = 1; ; pause = Math.min(pause * 2, 50)) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (performance.now() >= end) return undefined;
    signal?.throwIfAborted();
    await sleep(pause);
  }
}
