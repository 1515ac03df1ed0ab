import { type BigIntStats, chmodSync, lchownSync, lstatSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { errnoOf, fail } from '../../model/errors.ts';
import { tempBeside } from '../../system/durable.ts';
import { type AttributeCopier, attributeCopier } from '../../system/libc.ts';
import { fromBytes, toBytes } from '../layer-stack.ts';
import { unpackTree } from '../tar.ts';

/**
 * Brings the copy of a tree in the directory `copy` on: the archive on the file descriptor `input` holds what has changed,
 * `removed` what is no more. Makes the directory where there is none. The archive may be hostile: it is unpacked by itself
 * into a fresh directory, and what is there then takes its place in the copy by renames that follow no symbolic link. The
 * directory belongs to this process alone meanwhile; after a failure it is of no use. Not synced. `what` completes "cannot
 * unpack …". Errors: ARCHIVE_INVALID, NO_SPACE.
 */
export async function applyRound(
  copy: string,
  input: number,
  removed: readonly string[],
  what: string,
): Promise<void> {
  const root = toBytes(copy);
  if (statOf(root) === undefined) {
    await mkdir(copy, { mode: 0o700 });
    await unpackTree(copy, input, what);
    return;
  }
  const fresh = tempBeside(copy);
  try {
    await mkdir(fresh, { mode: 0o700 });
    await unpackTree(fresh, input, what);
    for (const path of removed) remove(root, path);
    merge(toBytes(fresh), root, await attributeCopier());
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** Nothing is done where the copy does not have the path. */
function remove(root: string, path: string): void {
  const names = path.split('/');
  if (names.some((name) => name === '' || name === '.' || name === '..')) {
    fail('ARCHIVE_INVALID', {
      message: `a round removes ${JSON.stringify(path)}, which is no path of a file`,
    });
  }
  let at = root;
  for (const name of names.slice(0, -1)) {
    at = `${at}/${name}`;
    if (statOf(at)?.isDirectory() !== true) return;
  }
  rmSync(fromBytes(`${root}/${path}`), { recursive: true, force: true });
}

/** Moves all that is in the directory `from` into `to`, where directories join and anything else is replaced. */
function merge(from: string, to: string, copier: AttributeCopier): void {
  // What goes out of it gives it new times.
  const stat = lstatSync(fromBytes(from), { bigint: true });
  for (const entry of readdirSync(fromBytes(from), { withFileTypes: true, encoding: 'latin1' })) {
    const { name } = entry;
    const [source, target] = [`${from}/${name}`, `${to}/${name}`];
    const there = statOf(target);
    if (entry.isDirectory() && there?.isDirectory() === true) {
      merge(source, target, copier);
      continue;
    }
    if (there !== undefined && (entry.isDirectory() || there.isDirectory())) {
      rmSync(fromBytes(target), { recursive: true, force: true });
    }
    renameSync(fromBytes(source), fromBytes(target));
  }
  adopt(from, stat, to, copier);
}

/** A directory that was there becomes like the one that came, its times last. */
function adopt(from: string, stat: BigIntStats, to: string, { copyXattrs, setTimes }: AttributeCopier): void {
  const [source, target] = [fromBytes(from), fromBytes(to)];
  lchownSync(target, Number(stat.uid), Number(stat.gid));
  copyXattrs(source, target);
  chmodSync(target, Number(stat.mode & 0o7777n));
  setTimes(target, stat.atimeNs, stat.mtimeNs);
}

function statOf(path: string): BigIntStats | undefined {
  try {
    return lstatSync(fromBytes(path), { bigint: true });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
