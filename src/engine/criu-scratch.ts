import { readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../model/errors.ts';

/** Directories on which CRIU mounts what it looks through (CRIU criu/cgroup.c cgmounts, cgyard). */
const SCRATCH = /^\.criu\./;

/** Removes what a CRIU that was ended has left in the directory it worked in. What is not empty is in use, and stays. */
export async function removeCriuScratch(bundle: string): Promise<void> {
  const names = await readdir(bundle).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  });
  for (const name of names.filter((one) => SCRATCH.test(one))) {
    await rmdir(join(bundle, name)).catch((error: unknown) => {
      if (!['ENOTEMPTY', 'EBUSY', 'ENOTDIR', 'ENOENT'].includes(errnoOf(error) ?? '')) throw error;
    });
  }
}
