import { timestamp } from '../system/clock.ts';
import { type Database, textColumn } from './database.ts';

/**
 * How far a container has come that another host sends: prepared (all is on disk, nothing runs), committed (it is this
 * host's), running; failed (was committed, runs nowhere here), aborted (never was this host's).
 */
export type ArrivalStage = 'prepared' | 'committed' | 'running' | 'failed' | 'aborted';

export interface Arrival {
  readonly container: string;
  readonly stage: ArrivalStage;
  /** Why it failed. */
  readonly message: string;
}

/** Days that an outcome is kept for a source that was out of reach. */
const KEPT_DAYS = 90;

/** Records a move; false where its token is known already. Durable when it returns. */
export function beginArrival(
  db: Database,
  token: string,
  container: string,
  stage: 'prepared' | 'aborted',
): boolean {
  const old = new Date(Date.now() - KEPT_DAYS * 86_400_000);
  db.prepare("DELETE FROM arrivals WHERE since < ? AND stage NOT IN ('prepared', 'committed')").run(
    timestamp(old),
  );
  const result = db
    .prepare(
      'INSERT INTO arrivals (token, container, stage, message, since) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
    )
    .run(token, container, stage, '', timestamp());
  return result.changes === 1;
}

/**
 * Takes a move from one stage to the next in one transaction; false where it was not at `from`: of two processes that
 * decide on it, one wins. Durable when it returns.
 */
export function advanceArrival(
  db: Database,
  token: string,
  from: ArrivalStage,
  to: ArrivalStage,
  message = '',
): boolean {
  const result = db
    .prepare('UPDATE arrivals SET stage = ?, message = ? WHERE token = ? AND stage = ?')
    .run(to, message, token, from);
  return result.changes === 1;
}

/** What is known of a move. */
export function arrivalOf(db: Database, token: string): Arrival | undefined {
  const row = db.prepare('SELECT * FROM arrivals WHERE token = ?').get(token);
  if (row === undefined) return undefined;
  return {
    container: textColumn(row, 'container'),
    stage: textColumn(row, 'stage') as ArrivalStage,
    message: textColumn(row, 'message'),
  };
}
