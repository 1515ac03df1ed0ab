import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../model/errors.ts';

/** The files below a directory by their inodes: bytes as their sizes tell, each file once. */
async function fileSizes(directory: string): Promise<Map<number, number>> {
  const sizes = new Map<number, number>();
  const pending: Buffer[] = [Buffer.from(directory)];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const entry of await readdir(next, { withFileTypes: true, encoding: 'latin1' })) {
      const path = Buffer.concat([next, Buffer.from(`/${entry.name}`, 'latin1')]);
      if (entry.isDirectory()) pending.push(path);
      else if (entry.isFile()) {
        const { ino, size } = await lstat(path);
        sizes.set(ino, size);
      }
    }
  }
  return sizes;
}

export interface EntrySizes {
  /** Bytes of the files that only this entry has. */
  readonly own: number;
  /** Bytes of those that it shares with the earlier one. */
  readonly shared: number;
}

/** What an entry takes beside the one that it is stored against, which may be undefined or gone. */
export async function entrySizes(entry: string, parent: string | undefined): Promise<EntrySizes> {
  const earlier = parent === undefined ? new Map<number, number>() : await sizesIfThere(parent);
  let own = 0;
  let shared = 0;
  for (const [inode, size] of await fileSizes(entry)) {
    if (earlier.has(inode)) shared += size;
    else own += size;
  }
  return { own, shared };
}

async function sizesIfThere(directory: string): Promise<Map<number, number>> {
  try {
    return await fileSizes(join(directory));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return new Map();
    throw error;
  }
}
