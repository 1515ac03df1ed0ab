import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unmountTree } from '../../src/system/mounts.ts';
import { layersDirectory, type StorePaths } from '../../src/system/store-paths.ts';

export const ID = 'c'.repeat(64);

/** A store in a temporary directory; everything in it is unmounted and removed afterwards. */
export async function withStore(work: (store: StorePaths, base: string) => Promise<void>): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'cryopod-rootfs-'));
  try {
    await work({ root: join(base, 'root'), runroot: join(base, 'run') }, base);
  } finally {
    await unmountTree(base);
    await rm(base, { recursive: true, force: true });
  }
}

/** A layer of the store, filled by a shell script that runs in it. */
export async function makeLayer(store: StorePaths, name: string, script = ':'): Promise<string> {
  const diff = join(layersDirectory(store), name, 'diff');
  await mkdir(diff, { recursive: true });
  sh(diff, script);
  return diff;
}

/** Runs a shell script in a directory and returns what it prints. */
export const sh = (directory: string, script: string): string =>
  execFileSync('sh', ['-euc', script], {
    cwd: directory,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
