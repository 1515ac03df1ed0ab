import { timestamp } from '../system/clock.ts';
import { type Database, textColumn } from './database.ts';
import { ownerLives, ownerOf, thisProcess } from './owner.ts';

/** An operation under way. While its entry stands, a crash is repaired by `recover`, which reads `data`. */
export interface JournalEntry {
  readonly id: number;
  readonly operation: string;
  /** Container ID or other object that the operation works on. */
  readonly subject: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** The boot in which it was begun: what it had not synced may be lost in a later one. */
  readonly bootId: string;
}

/** Records an operation before its first effect; returns the entry's number. Durable when it returns. */
export function beginOperation(
  db: Database,
  operation: string,
  subject: string,
  data: Readonly<Record<string, unknown>> = {},
): number {
  const { pid, pidStart, bootId } = thisProcess();
  const result = db
    .prepare(
      'INSERT INTO journal (operation, subject, data, pid, pid_start, boot_id, since) VALUES (?, ?, ?, ?, ?, ?, ?)',
    )
    .run(operation, subject, JSON.stringify(data), pid, pidStart, bootId, timestamp());
  return Number(result.lastInsertRowid);
}

/** Adds to what recovery will read of an operation under way. Durable when it returns. */
export function amendOperation(db: Database, id: number, data: Readonly<Record<string, unknown>>): void {
  db.prepare('UPDATE journal SET data = json_patch(data, ?) WHERE id = ?').run(JSON.stringify(data), id);
}

/** The operation is settled: its effects are complete or undone. Idempotent. */
export function endOperation(db: Database, id: number): void {
  db.prepare('DELETE FROM journal WHERE id = ?').run(id);
}

/** Operations whose process died before they were settled, oldest first. */
export function unfinishedOperations(db: Database): JournalEntry[] {
  return db
    .prepare('SELECT * FROM journal ORDER BY id')
    .all()
    .filter((row) => !ownerLives(ownerOf(row)))
    .map((row) => ({
      id: Number(row.id),
      operation: textColumn(row, 'operation'),
      subject: textColumn(row, 'subject'),
      data: JSON.parse(textColumn(row, 'data')) as Record<string, unknown>,
      bootId: textColumn(row, 'boot_id'),
    }));
}

/** True while a living process works on an operation of this kind. */
export function isUnderWay(db: Database, operation: string): boolean {
  const rows = db.prepare('SELECT * FROM journal WHERE operation = ?').all(operation);
  return rows.some((row) => ownerLives(ownerOf(row)));
}
