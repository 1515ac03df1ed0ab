import type { BigIntStats } from 'node:fs';
import { link, lstat, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../model/errors.ts';
import { bytesPath, type Digests, digestsOf } from '../system/digests.ts';
import { xattrLister } from '../system/libc.ts';

interface Pair {
  readonly name: string;
  readonly before: Buffer;
  readonly after: Buffer;
}

export interface Linked {
  /** Files whose content in the earlier copy is no longer what its list says. */
  readonly damaged: readonly string[];
}

/**
 * Makes files of a copy that are the same as in an earlier copy hard links to those: equal in content, which is read in
 * both, and in everything else that a file has. `digests` and `earlier` list the files of the two directories. Only
 * names that `concerns` accepts are looked at. Errors: PROGRAM_FAILED.
 */
export async function linkUnchanged(
  { directory, digests }: { readonly directory: string; readonly digests: Digests },
  earlier: { readonly directory: string; readonly digests: Digests },
  concerns: (name: string) => boolean,
  signal?: AbortSignal,
): Promise<Linked> {
  const names = [...digests.keys()].filter(
    (name) => concerns(name) && earlier.digests.get(name) === digests.get(name),
  );
  const now = await digestsOf(earlier.directory, names, { signal });
  const damaged = names.filter((name) => now.get(name) !== digests.get(name));
  const whole = names.filter((name) => now.get(name) === digests.get(name));
  const pairs = whole.map((name) => ({
    name,
    before: bytesPath(earlier.directory, name),
    after: bytesPath(directory, name),
  }));
  const isShared = await sharedInodes([...earlier.digests.keys()], earlier.directory);
  const listXattrs = await xattrLister();
  for (const pair of pairs) {
    const [before, after] = await Promise.all([stat(pair.before), stat(pair.after)]);
    if (before === undefined || after === undefined || !isSame(before, after)) continue;
    // Names that are one file in one copy need not be in the other.
    if (after.nlink > 1n || isShared(before.ino)) continue;
    if (!listXattrs(pair.before).equals(listXattrs(pair.after))) continue;
    await replaceByLink(pair, join(directory, '.link'));
  }
  return { damaged };
}

const stat = async (path: Buffer): Promise<BigIntStats | undefined> => {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
};

const isSame = (one: BigIntStats, other: BigIntStats): boolean =>
  one.size === other.size &&
  one.mode === other.mode &&
  one.uid === other.uid &&
  one.gid === other.gid &&
  one.mtimeNs === other.mtimeNs;

/** Whether a file has several names within one copy; its links from other copies do not count. */
async function sharedInodes(
  names: readonly string[],
  directory: string,
): Promise<(inode: bigint) => boolean> {
  const counts = new Map<bigint, number>();
  for (const name of names) {
    const found = await stat(bytesPath(directory, name));
    if (found !== undefined && found.nlink > 1n) counts.set(found.ino, (counts.get(found.ino) ?? 0) + 1);
  }
  return (inode) => (counts.get(inode) ?? 0) > 1;
}

/** Through a name beside both, so that the file stays where the file system allows no more links to the other one. */
async function replaceByLink({ before, after }: Pair, spare: string): Promise<void> {
  try {
    await link(before, spare);
  } catch (error) {
    if (errnoOf(error) === 'EMLINK') return;
    throw error;
  }
  await rm(after);
  await link(spare, after);
  await rm(spare);
}
