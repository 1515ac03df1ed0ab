import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until that many bytes may go out. */
export type Pace = (bytes: number) => Promise<void>;

export const unlimited: Pace = async () => undefined;

/** Milliseconds of sending that may be made up for after a pause. */
const BURST_MS = 100;

/** At most so many bytes a second in the long run. `now` in milliseconds. */
export function limitedTo(
  bytesPerSecond: number,
  now: () => number = () => performance.now(),
  wait: (milliseconds: number) => Promise<unknown> = sleep,
): Pace {
  /** When what was let out so far has gone. */
  let free = now();
  return async (bytes) => {
    free = Math.max(free, now() - BURST_MS) + (bytes / bytesPerSecond) * 1000;
    const ahead = free - now();
    if (ahead > 0) await wait(ahead);
  };
}
