import { existsSync } from 'node:fs';
import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isMounted } from '../system/mounts.ts';
import { runOk } from '../system/process.ts';
import type { StorePaths } from '../system/store-paths.ts';
import { shmDirectory } from './shm.ts';
import { FAITHFUL, unpackTree } from './tar.ts';

/**
 * Writes the content of /dev/shm into a tar file, which only root can read; without a /dev/shm of the container's own,
 * nothing. The container's processes must not run meanwhile.
 */
export async function saveShm(store: StorePaths, id: string, archive: string): Promise<void> {
  if (!isMounted(shmDirectory(store, id))) return;
  const file = await open(archive, 'w', 0o600);
  try {
    await writeShm(store, id, file.fd);
  } finally {
    await file.close();
  }
}

/** The same into an open file or pipe. Errors: PROGRAM_FAILED. */
export async function writeShm(store: StorePaths, id: string, output: number): Promise<void> {
  const directory = shmDirectory(store, id);
  const command = ['tar', '--create', '--sparse', ...FAITHFUL, '--file=-', `--directory=${directory}`, '.'];
  await runOk(command, 'save /dev/shm', { stdout: output });
}

/**
 * Gives a mounted /dev/shm the content that {@link saveShm} kept, and only that. No file means that there was nothing to
 * keep.
 */
export async function loadShm(store: StorePaths, id: string, archive: string): Promise<void> {
  if (!existsSync(archive)) return;
  const directory = shmDirectory(store, id);
  for (const name of await readdir(directory)) await rm(join(directory, name), { recursive: true });
  const file = await open(archive, 'r');
  try {
    await unpackTree(directory, file.fd, 'the content of /dev/shm');
  } finally {
    await file.close();
  }
}
