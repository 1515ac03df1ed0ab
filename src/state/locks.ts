import { fail } from '../model/errors.ts';
import { timestamp, waitFor } from '../system/clock.ts';
import { type Database, transaction } from './database.ts';
import { ownerLives, ownerOf, thisProcess } from './owner.ts';

/** Milliseconds that a command waits for another one on the same object, unless told otherwise. */
export const DEFAULT_LOCK_TIMEOUT_MS = 120_000;

interface Holder {
  readonly operation: string;
  readonly pid: number;
}

/** Takes the lock if it is free or its holder is dead. Returns the living holder otherwise. */
function tryLock(db: Database, name: string, operation: string): Holder | undefined {
  return transaction(db, () => {
    const row = db.prepare('SELECT * FROM locks WHERE name = ?').get(name);
    if (row !== undefined && ownerLives(ownerOf(row))) {
      return { operation: String(row.operation), pid: Number(row.pid) };
    }
    const { pid, pidStart, bootId } = thisProcess();
    db.prepare('INSERT OR REPLACE INTO locks VALUES (?, ?, ?, ?, ?, ?)').run(
      name,
      operation,
      pid,
      pidStart,
      bootId,
      timestamp(),
    );
    return undefined;
  });
}

/** True while a living process holds the lock. */
export function isLocked(db: Database, name: string): boolean {
  const row = db.prepare('SELECT * FROM locks WHERE name = ?').get(name);
  return row !== undefined && ownerLives(ownerOf(row));
}

/**
 * Runs `work` while holding the lock `name`. Waits for another living process at most `timeoutMs`, then fails with BUSY
 * and says who holds it; throws the reason of `signal` when that aborts meanwhile. A lock whose holder died (kill -9, reboot) is free. Not re-entrant.
 */
export async function withLock<T>(
  db: Database,
  name: string,
  operation: string,
  work: () => Promise<T>,
  timeoutMs: number = DEFAULT_LOCK_TIMEOUT_MS,
  signal?: AbortSignal,
): Promise<T> {
  let holder: Holder | undefined;
  const acquired = await waitFor(
    () => {
      holder = tryLock(db, name, operation);
      return holder === undefined;
    },
    timeoutMs,
    signal,
  );
  if (acquired === undefined) {
    fail('BUSY', {
      message: `could not ${operation} ${name}: process ${holder?.pid} is busy with "${holder?.operation}" on it`,
      hint: 'Wait for it to end, or wait longer: cryopod --timeout SECONDS …',
    });
  }
  try {
    return await work();
  } finally {
    const { pid, pidStart } = thisProcess();
    db.prepare('DELETE FROM locks WHERE name = ? AND pid = ? AND pid_start = ?').run(name, pid, pidStart);
  }
}
