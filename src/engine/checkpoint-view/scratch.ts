import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../model/errors.ts';
import { ownerLives, thisProcess } from '../../state/owner.ts';
import { logWarning } from '../../system/log.ts';
import { bootId } from '../../system/procfs.ts';
import { type StorePaths, stagingDirectory } from '../../system/store-paths.ts';

/** checkpoint-PID-STARTTIME-RANDOM: names say whose they are, so that what a killed command left can be told. */
const NAME = /^checkpoint-(\d+)-(\d+)-/;

/**
 * Gives `work` a directory of mode 0700 on the store's file system, removed in the end. Memory of processes lies in it, so
 * that whatever a killed command leaves is removed by the next one ({@link sweepScratch}).
 */
export async function withScratch<T>(store: StorePaths, work: (directory: string) => Promise<T>): Promise<T> {
  const parent = stagingDirectory(store);
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const { pid, pidStart } = thisProcess();
  const directory = await mkdtemp(join(parent, `checkpoint-${pid}-${pidStart}-`));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Removes the directories of commands that have died. Costs one look at a directory when there are none. */
export async function sweepScratch(store: StorePaths): Promise<void> {
  const parent = stagingDirectory(store);
  if (!existsSync(parent)) return;
  for (const name of await readdir(parent)) {
    const [, pid = '', pidStart = ''] = NAME.exec(name) ?? [];
    if (pid === '' || ownerLives({ pid: Number(pid), pidStart, bootId: bootId() })) continue;
    try {
      await rm(join(parent, name), { recursive: true, force: true });
    } catch (error) {
      // It must not keep others from their containers.
      logWarning(`could not remove ${join(parent, name)}, the next command tries again: ${messageOf(error)}`);
    }
  }
}
