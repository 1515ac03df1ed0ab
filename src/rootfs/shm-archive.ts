import { existsSync } from 'node:fs';
import { isMounted } from '../system/mounts.ts';
import { runOk } from '../system/process.ts';
import type { StorePaths } from '../system/store-paths.ts';
import { shmDirectory } from './shm.ts';

/** The options with which a tar keeps everything that a file of a container has. */
const FAITHFUL = ['--numeric-owner', '--xattrs', '--xattrs-include=*'];

/** Writes the content of /dev/shm into a tar file. The container's processes must not run meanwhile. */
export async function saveShm(store: StorePaths, id: string, archive: string): Promise<void> {
  const directory = shmDirectory(store, id);
  if (!isMounted(directory)) return;
  await runOk(
    ['tar', '--create', '--sparse', ...FAITHFUL, `--file=${archive}`, `--directory=${directory}`, '.'],
    'save /dev/shm',
  );
}

/** Fills a mounted /dev/shm from the tar file of {@link saveShm}; no file means that there was nothing to keep. */
export async function loadShm(store: StorePaths, id: string, archive: string): Promise<void> {
  if (!existsSync(archive)) return;
  const directory = shmDirectory(store, id);
  await runOk(
    ['tar', '--extract', ...FAITHFUL, '--same-owner', '-p', `--file=${archive}`, `--directory=${directory}`],
    'restore /dev/shm',
  );
}
