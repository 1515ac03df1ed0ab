import { existsSync } from 'node:fs';
import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isMounted } from '../system/mounts.ts';
import { runOk } from '../system/process.ts';
import type { StorePaths } from '../system/store-paths.ts';
import { shmDirectory } from './shm.ts';

/** The options with which a tar keeps everything that a file of a container has. */
const FAITHFUL = ['--numeric-owner', '--xattrs', '--xattrs-include=*'];

/**
 * Writes the content of /dev/shm into a tar file, which only root can read; without a /dev/shm of the container's own,
 * nothing. The container's processes must not run meanwhile.
 */
export async function saveShm(store: StorePaths, id: string, archive: string): Promise<void> {
  const directory = shmDirectory(store, id);
  if (!isMounted(directory)) return;
  const file = await open(archive, 'w', 0o600);
  try {
    const command = ['tar', '--create', '--sparse', ...FAITHFUL, '--file=-', `--directory=${directory}`, '.'];
    await runOk(command, 'save /dev/shm', { stdout: file.fd });
  } finally {
    await file.close();
  }
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
    const command = [
      'tar',
      '--extract',
      ...FAITHFUL,
      '--same-owner',
      '-p',
      '--file=-',
      `--directory=${directory}`,
    ];
    await runOk(command, 'restore /dev/shm', { input: file.fd });
  } finally {
    await file.close();
  }
}
