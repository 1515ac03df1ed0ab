import { type Database, textColumn } from './database.ts';

/** A container that is to be checkpointed again and again. */
export interface Schedule {
  /** ID of the container. */
  readonly container: string;
  /** Seconds from one run to the next. */
  readonly every: number;
  /** When the next run is due: ISO 8601. */
  readonly next: string;
  /** Who starts the runs. */
  readonly by: 'systemd' | 'cryopod';
  /** Which of the checkpoints that it made stay. */
  readonly retention: {
    readonly last: number;
    readonly within?: number | undefined;
    readonly hourly: number;
    readonly daily: number;
    readonly weekly: number;
    readonly monthly: number;
  };
  readonly ignoreVolumes: boolean;
  readonly tcpEstablished: boolean;
  readonly fileLocks: boolean;
}

const fromRow = (row: Record<string, unknown>): Schedule =>
  JSON.parse(textColumn(row, 'schedule')) as Schedule;

export const listSchedules = (db: Database): Schedule[] =>
  db
    .prepare(
      'SELECT schedule FROM schedules JOIN containers ON containers.id = container ORDER BY containers.sequence',
    )
    .all()
    .map(fromRow);

export const hasSchedules = (db: Database): boolean =>
  db.prepare('SELECT 1 FROM schedules LIMIT 1').get() !== undefined;

export function scheduleOf(db: Database, container: string): Schedule | undefined {
  const row = db.prepare('SELECT schedule FROM schedules WHERE container = ?').get(container);
  return row === undefined ? undefined : fromRow(row);
}

/** Adds or replaces. */
export function putSchedule(db: Database, schedule: Schedule): void {
  db.prepare('INSERT OR REPLACE INTO schedules VALUES (?, ?)').run(
    schedule.container,
    JSON.stringify(schedule),
  );
}

/** When a schedule that is still there is due again. */
export function setNextRun(db: Database, container: string, next: string): void {
  db.prepare("UPDATE schedules SET schedule = json_set(schedule, '$.next', ?) WHERE container = ?").run(
    next,
    container,
  );
}

/** Idempotent. */
export function deleteSchedule(db: Database, container: string): void {
  db.prepare('DELETE FROM schedules WHERE container = ?').run(container);
}
