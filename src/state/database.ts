import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fail, messageOf } from '../model/errors.ts';
import { isNearlyFull } from './reserve.ts';
import { MIGRATIONS } from './schema.ts';

export type Database = DatabaseSync;

/** Milliseconds that a transaction waits for another process's before it gives up; transactions here take < 10 ms. */
const BUSY_TIMEOUT_MS = 60_000;

/**
 * Opens the store's database, makes it if missing and brings it to the current schema. Shared safely by concurrent
 * processes: WAL journal, `synchronous=FULL` so that a committed transaction survives a power cut.
 * Errors: STORE_FAILED, NO_SPACE.
 */
export function openDatabase(path: string): Database {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const isNew = !existsSync(path);
    const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    if (isNew) chmodSync(path, 0o600);
    db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON');
    migrate(db);
    return db;
  } catch (error) {
    // SQLite may call it an I/O error when it cannot make the files beside the database.
    if (existsSync(dirname(path)) && isNearlyFull(dirname(path))) {
      return fail('NO_SPACE', {
        message: `could not open the store's database ${path}: its file system is full (${messageOf(error)})`,
        hint: 'Free some space there.',
        cause: error,
      });
    }
    return fail('STORE_FAILED', {
      message: `could not open the store's database ${path}: ${messageOf(error)}`,
      hint: 'Check that --root names a writable directory on a local file system.',
      cause: error,
    });
  }
}

function schemaVersion(db: Database): number {
  const row = db.prepare('PRAGMA user_version').get();
  return Number(row?.user_version ?? 0);
}

function migrate(db: Database): void {
  if (schemaVersion(db) === MIGRATIONS.length) return;
  transaction(db, () => {
    const version = schemaVersion(db);
    if (version > MIGRATIONS.length) {
      fail('STORE_FAILED', {
        message: `the store was written by a newer cryopod (schema ${version}, this one knows ${MIGRATIONS.length})`,
      });
    }
    for (const statements of MIGRATIONS.slice(version)) db.exec(statements);
    db.exec(`PRAGMA user_version=${MIGRATIONS.length}`);
  });
}

/** Runs `work` in one write transaction; rolls back when it throws. `work` must be synchronous. */
export function transaction<T>(db: Database, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** A text column of a row; the schema makes all of ours NOT NULL. */
export function textColumn(row: Record<string, unknown>, column: string): string {
  const value = row[column];
  if (typeof value !== 'string')
    return fail('STORE_FAILED', { message: `the store's column ${column} is not text` });
  return value;
}
