import { sleep } from '../system/clock.ts';
import { type LooseConnection, looseConnections } from './connections.ts';

/**
 * Milliseconds without any progress after which what is left counts as stuck. A handshake and the answer to a FIN take one
 * round trip, which is 20 ms to a near city and 200 ms around the world; an acknowledgement may be put off for 40 ms.
 */
const STILL_MS = 250;
/**
 * Milliseconds at most. Data that a closed connection has still to deliver moves as fast as the line and its reader: 4 MB, the
 * most that Linux keeps of one (tcp_wmem), take 0.3 s at 100 Mbit/s. After a second the clients whose attempts are dropped
 * meanwhile try again.
 */
const LIMIT_MS = 1000;
/** Milliseconds between two looks, at most. */
const PAUSE_MS = 10;

export interface DrainChoice {
  /** Known to be stuck: not waited for. */
  readonly stuck?: readonly LooseConnection[] | undefined;
  /** Ends the wait by its reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Waits while connections in the network namespace of a process are in nobody's hands but the kernel's, as long as that
 * gets on. Gives those that are left, `stuck` ones among them. One look where there is none.
 */
export async function drainConnections(
  pid: number,
  { stuck = [], signal }: DrainChoice = {},
): Promise<readonly LooseConnection[]> {
  const begun = performance.now();
  const known = new Set(stuck.map(nameOf));
  let moved = begun;
  let found = looseConnections(pid);
  for (let pause = 1; found.some((each) => !known.has(nameOf(each))); pause = Math.min(pause * 2, PAUSE_MS)) {
    const now = performance.now();
    if (now - moved >= STILL_MS || now - begun >= LIMIT_MS) break;
    signal?.throwIfAborted();
    await sleep(pause);
    const before = found;
    found = looseConnections(pid);
    if (hasMoved(before, found)) moved = performance.now();
  }
  return found;
}

const nameOf = ({ local, remote }: LooseConnection): string => `${local} ${remote}`;

/** One of those before is gone, in another state, or has delivered something. */
function hasMoved(before: readonly LooseConnection[], now: readonly LooseConnection[]): boolean {
  const left = new Map(now.map((each) => [nameOf(each), each]));
  return before.some((each) => {
    const after = left.get(nameOf(each));
    return after === undefined || after.state !== each.state || after.unacknowledged < each.unacknowledged;
  });
}
