import { spawn } from 'node:child_process';
import { closeSync, constants, existsSync, fstatSync, openSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { childEnvironment } from './tools.ts';

/** Bytes from which on the kernel takes a while to free a file: for 1 GiB in its cache 0.1 to 0.5 s. */
const LARGE_BYTES = 64 << 20;

/**
 * Removes a directory of files without waiting until the kernel has freed the large ones: all names are gone at once, and a
 * process of its own, which ends by itself, is the last to hold those files open. Nothing is done where there is no such
 * directory.
 */
export async function removeLetGo(directory: string): Promise<void> {
  const large = openLarge(directory);
  const letGo = large.length === 0 ? () => undefined : holdElsewhere(large);
  try {
    await rm(directory, { recursive: true, force: true });
  } finally {
    for (const fd of large) closeSync(fd);
    letGo();
  }
}

function openLarge(directory: string): number[] {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const files = existsSync(directory) ? readdirSync(directory, { withFileTypes: true }) : [];
  return files
    .filter((entry) => entry.isFile())
    .map(({ name }) => openSync(join(directory, name), flags))
    .filter((fd) => {
      const isLarge = fstatSync(fd).size >= LARGE_BYTES;
      if (!isLarge) closeSync(fd);
      return isLarge;
    });
}

/** A program that holds the files open until its input ends, which the returned function, or this process's end, brings about. */
function holdElsewhere(fds: readonly number[]): () => void {
  const holder = spawn('cat', [], {
    cwd: '/',
    detached: true,
    env: childEnvironment(),
    stdio: ['pipe', 'ignore', 'ignore', ...fds],
  });
  // Where it cannot be started, this process frees them itself.
  holder.on('error', () => undefined);
  holder.stdin?.on('error', () => undefined);
  holder.unref();
  return () => holder.stdin?.end();
}
