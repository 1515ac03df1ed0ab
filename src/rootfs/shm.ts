import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isMounted, mount, unmountTree } from '../system/mounts.ts';
import { runDirectory, type StorePaths } from '../system/store-paths.ts';

/** Where the container's /dev/shm lies on the host. */
export const shmDirectory = (store: StorePaths, id: string): string => join(runDirectory(store, id), 'shm');

/**
 * Mounts the tmpfs that becomes the container's /dev/shm. `size` is in bytes; 0 means no limit, as tmpfs has it.
 * Returns its path. Idempotent: a mounted one keeps its content and size.
 */
export async function mountShm(store: StorePaths, id: string, size: number): Promise<string> {
  const directory = shmDirectory(store, id);
  if (isMounted(directory)) return directory;
  await mkdir(runDirectory(store, id), { recursive: true, mode: 0o700 });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await mount('tmpfs', 'shm', directory, ['nodev', 'noexec', 'nosuid', 'mode=1777', `size=${size}`]);
  return directory;
}

/** Unmounts it; what it held is gone. Idempotent. */
export const unmountShm = (store: StorePaths, id: string): Promise<void> =>
  unmountTree(shmDirectory(store, id));
