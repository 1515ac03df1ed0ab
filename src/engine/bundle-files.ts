import { join } from 'node:path';
import { bundleDirectory, type StorePaths } from '../system/store-paths.ts';

/** CRIU's options for the next dump or restore. */
export const criuConfigPath = (store: StorePaths, id: string): string =>
  join(bundleDirectory(store, id), 'criu.conf');

/** The content of /dev/shm, inside the directory of a checkpoint's images, so that both are published together. */
export const shmArchivePath = (images: string): string => join(images, 'devshm-checkpoint.tar');

export const dumpLogPath = (store: StorePaths, id: string): string =>
  join(bundleDirectory(store, id), 'dump.log');
export const restoreLogPath = (store: StorePaths, id: string): string =>
  join(bundleDirectory(store, id), 'restore.log');
