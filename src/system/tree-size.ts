import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../model/errors.ts';

/**
 * Bytes of all files below a directory as their sizes tell, a file with several links once; directories themselves count
 * nothing. What vanishes meanwhile counts nothing either, so a missing directory has 0 bytes.
 */
export async function treeSize(directory: string): Promise<number> {
  const linked = new Set<string>();
  const pending = [directory];
  let bytes = 0;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const entry of (await unlessGone(readdir(next, { withFileTypes: true }))) ?? []) {
      const path = join(next, entry.name);
      if (entry.isDirectory()) {
        pending.push(path);
        continue;
      }
      const stat = await unlessGone(lstat(path));
      if (stat === undefined) continue;
      if (stat.nlink > 1) {
        const file = `${stat.dev}:${stat.ino}`;
        if (linked.has(file)) continue;
        linked.add(file);
      }
      bytes += stat.size;
    }
  }
  return bytes;
}

async function unlessGone<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
