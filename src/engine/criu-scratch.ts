import { readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../model/errors.ts';
import { unmountTree } from '../system/mounts.ts';

/** Directories on which CRIU mounts what it looks through (CRIU criu/cgroup.c cgmounts, cgyard). */
const SCRATCH = /^\.criu\./;

/**
 * Removes what a CRIU that was killed has left in the directory it worked in, where the host's cgroups may still be mounted.
 * None may be at work there. What a user has put there stays.
 */
export async function removeCriuScratch(bundle: string): Promise<void> {
  const names = await readdir(bundle).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  });
  for (const name of names.filter((one) => SCRATCH.test(one))) {
    const scratch = join(bundle, name);
    await unmountTree(scratch);
    await rmdir(scratch).catch((error: unknown) => {
      if (!['ENOTEMPTY', 'ENOTDIR', 'ENOENT'].includes(errnoOf(error) ?? '')) throw error;
    });
  }
}
