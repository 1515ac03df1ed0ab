import { randomBytes } from 'node:crypto';
import { type FileHandle, link, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { faultPoint } from './faults.ts';
import { runOk } from './process.ts';

/** Prefix of temporary names that a crash can leave behind; clean-up may remove any such entry it finds. */
export const TEMP_PREFIX = '.tmp-';

/** A temporary name beside `path`, on the same file system, so that a rename publishes it. */
export const tempBeside = (path: string): string =>
  join(dirname(path), `${TEMP_PREFIX}${basename(path)}-${randomBytes(6).toString('hex')}`);

/** Atomic and durable: after it returns the file has the new content, after a crash the old or the new. */
export async function writeDurable(path: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  const temp = tempBeside(path);
  try {
    const file = await open(temp, 'wx', mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await publish(temp, path);
  } catch (error) {
    await rm(temp, { force: true });
    throw error;
  }
}

/**
 * Like {@link writeDurable}, but never replaces: throws EEXIST, with nothing changed, when `path` exists. Of several
 * processes that create the same file at the same time one succeeds.
 */
export async function createDurable(path: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  const temp = tempBeside(path);
  try {
    await writeDurable(temp, content, mode);
    await link(temp, path);
    await syncPath(dirname(path));
  } finally {
    await rm(temp, { force: true });
  }
}

/**
 * Gives a finished, synced file or directory its final name: rename, then fsync of the directory that holds it. The
 * only place that renames. A directory must have been synced with {@link syncTree} before.
 */
export async function publish(temp: string, path: string): Promise<void> {
  faultPoint('durable.before-rename');
  await rename(temp, path);
  await syncPath(dirname(path));
  faultPoint('durable.after-rename');
}

/** fsync of one file or directory. */
export async function syncPath(path: string): Promise<void> {
  const handle: FileHandle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Whether a function that writes many files syncs them, or leaves that to its caller, whose operation is undone until then. */
export interface SyncChoice {
  readonly sync: boolean;
}

/**
 * Writes all that the file systems of these paths hold to their disks (syncfs): for many files that other programs have
 * written. Errors: PROGRAM_FAILED.
 */
export async function syncFileSystem(...paths: readonly string[]): Promise<void> {
  await runOk(['sync', '--file-system', '--', ...paths], `write ${paths[0]} to disk`);
}

/** fsync of every regular file and directory below `directory`, and of itself. */
export async function syncTree(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await syncTree(path);
    else if (entry.isFile()) await syncPath(path);
  }
  await syncPath(directory);
}
