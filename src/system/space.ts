import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from '../model/errors.ts';

export interface Space {
  /** Bytes that may still be written; what the file system reserves for itself is left out. */
  readonly free: number;
  /** Bytes of the whole file system. */
  readonly total: number;
  /** Files that may still be created; Infinity where the file system does not count them (btrfs). */
  readonly freeFiles: number;
  /** statfs(2)'s f_type. */
  readonly type: number;
}

/** The space of the file system that holds `path`, or that would hold it once created. */
export async function spaceAt(path: string): Promise<Space> {
  try {
    const stat = await statfs(path);
    return {
      free: stat.bavail * stat.bsize,
      total: stat.blocks * stat.bsize,
      freeFiles: stat.files === 0 ? Number.POSITIVE_INFINITY : stat.ffree,
      type: stat.type,
    };
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    return spaceAt(dirname(path));
  }
}

export const freeBytes = async (path: string): Promise<number> => (await spaceAt(path)).free;
