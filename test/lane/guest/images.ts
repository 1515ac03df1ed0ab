import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { BYTES_PER_TICK, MEMORY_MIB } from './memory.ts';
import { ok } from './scenario.ts';

/** Pages that any process changes beside what memory.c rewrites: stack, libc's data, a file's buffer. */
const ALLOWANCE = 64 * 4096;

/** Bytes of memory in a directory of CRIU's images (pages-N.img). */
export const pagesSize = (directory: string): number =>
  readdirSync(directory)
    .filter((name) => /^pages-\d+\.img$/.test(name))
    .reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);

/** Fails where the images hold less than the whole memory. */
export function assertWhole(size: number): void {
  assert.ok(size >= MEMORY_MIB << 20, `the first images hold all ${MEMORY_MIB} MiB, not ${size} bytes`);
}

/** Fails where the images hold more than what was rewritten in so many ticks; all the rest has to be in_parent. */
export function assertDelta(size: number, ticks: number): void {
  const limit = ticks * BYTES_PER_TICK + ALLOWANCE;
  assert.ok(
    size > 0 && size <= limit,
    `${ticks} ticks change at most ${limit} bytes, but ${size} are written`,
  );
}

/** Unpacks an archive into a new directory and returns the size of its pages. */
export async function archivedPagesSize(archive: string, images: string, directory: string): Promise<number> {
  await ok(['mkdir', '-p', directory]);
  await ok(['tar', '--zstd', '--extract', '--file', archive, '--directory', directory]);
  return pagesSize(join(directory, images));
}

export const megabytes = (size: number): string => `${(size / 1e6).toFixed(2)} MB`;
