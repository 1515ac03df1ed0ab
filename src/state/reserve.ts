import { randomBytes } from 'node:crypto';
import { existsSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const RESERVE = 'reserve';
/** What the database needs to open, and for commands that free space: its log and its index (SQLite's -wal and -shm). */
const RESERVE_BYTES = 2 << 20;
/** With less free than this, SQLite may fail to open the database at all. */
const LOW_BYTES = 1 << 20;
/** Below this a reserve would be taken from those who need it. */
const PLENTY_BYTES = 64 << 20;

/**
 * Keeps some space of the store's file system in hand, and gives it up when that is full: otherwise `ps` and `rm` would
 * fail as well, and nobody could free any. `root`: the store's.
 */
export function tendReserve(root: string): void {
  const path = join(root, RESERVE);
  if (isNearlyFull(root)) rmSync(path, { force: true });
  else if (freeBytes(root) > PLENTY_BYTES && !existsSync(path)) {
    // Not zeros: a file system that compresses would reserve nothing.
    writeFileSync(path, randomBytes(RESERVE_BYTES), { mode: 0o600 });
  }
}

/** Whether what SQLite calls an I/O error is most likely a lack of space. */
export const isNearlyFull = (directory: string): boolean => freeBytes(directory) < LOW_BYTES;

function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}
