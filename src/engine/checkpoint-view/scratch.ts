import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ownerLives, thisProcess } from '../../state/owner.ts';
import { bootId } from '../../system/procfs.ts';
import { type StorePaths, stagingDirectory } from '../../system/store-paths.ts';

/** checkpoint-PID-STARTTIME-RANDOM: names say whose they are, so that what a killed command left can be told. */
const NAME = /^checkpoint-(\d+)-(\d+)-/;

/**
 * Gives `work` a directory of mode 0700 on the store's file system, removed in the end. Memory of processes lies in it,
 * so whatever killed commands left is removed first.
 */
export async function withScratch<T>(store: StorePaths, work: (directory: string) => Promise<T>): Promise<T> {
  const parent = stagingDirectory(store);
  await mkdir(parent, { recursive: true, mode: 0o700 });
  await sweep(parent);
  const { pid, pidStart } = thisProcess();
  const directory = await mkdtemp(join(parent, `checkpoint-${pid}-${pidStart}-`));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function sweep(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const [, pid = '', pidStart = ''] = NAME.exec(name) ?? [];
    if (pid === '' || ownerLives({ pid: Number(pid), pidStart, bootId: bootId() })) continue;
    await rm(join(parent, name), { recursive: true, force: true });
  }
}
