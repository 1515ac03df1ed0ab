import type { BigIntStats } from 'node:fs';
import { lstat, readlink } from 'node:fs/promises';
import { xattrReader } from '../system/libc.ts';
import { runOk } from '../system/process.ts';
import type { StorePaths } from '../system/store-paths.ts';
import { fromBytes, openStackReader, type StackEntry, type StackReader, toBytes } from './layer-stack.ts';
import { upperDirectory } from './overlay.ts';

/** A added, C changed, D deleted: the letters of podman-diff(1). */
export type ChangeKind = 'A' | 'C' | 'D';

export interface Change {
  readonly kind: ChangeKind;
  /** Absolute path in the container; bytes that are no UTF-8 are shown as U+FFFD. */
  readonly path: string;
  /** The path as it is. */
  readonly raw: Buffer;
}

/** What an engine puts into every container, which is no change that the user made (as podman's diff hides them). */
export const ENGINE_PATHS: ReadonlySet<string> = new Set([
  '/dev',
  '/etc/hostname',
  '/etc/hosts',
  '/etc/mtab',
  '/etc/resolv.conf',
  '/proc',
  '/run',
  '/run/.containerenv',
  '/run/notify',
  '/run/secrets',
  '/sys',
]);

interface Comparison {
  readonly reader: StackReader;
  readonly ignored: ReadonlySet<string>;
  /** Are these two versions of a file, from different layers, different files? */
  readonly differs: (before: string, after: string) => Promise<boolean>;
}

type Found = readonly [kind: ChangeKind, path: string];

/**
 * The changes of a container against its image (`layers`: absolute paths, lowest first), in order of their paths, each
 * directory before what it holds. Reads the container's own writable directory and the layers, so it works on a
 * stopped container too. A file that was written to, or only changed its mode, owner or time, counts as changed;
 * a directory where its mode or owner changed or something in it did.
 */
export async function* diffContainer(
  store: StorePaths,
  id: string,
  layers: readonly string[],
  ignored: ReadonlySet<string> = ENGINE_PATHS,
): AsyncGenerator<Change> {
  const base = layers.toReversed().map(toBytes);
  const stack = [toBytes(upperDirectory(store, id)), ...base];
  const reader = await openStackReader();
  const links = await linkWatcher();
  const differs = async (before: string, after: string): Promise<boolean> => {
    await links.see(before, after);
    // Whatever was copied up was opened for writing or had its attributes set.
    return true;
  };
  for await (const found of compare({ reader, ignored, differs }, base, stack, '')) yield toChange(found);
  yield* linkedChanges(reader, stack, links.inodes());
}

/**
 * The changes from one stack of layers to another (absolute paths, lowest first): an image against its parent, or
 * two images. Files from different layers are the same where type, mode, owner, size, time and link target are.
 */
export async function* diffLayers(
  before: readonly string[],
  after: readonly string[],
): AsyncGenerator<Change> {
  const comparison = {
    reader: await openStackReader(),
    ignored: new Set<string>(),
    differs: attributesDiffer,
  };
  const old = before.toReversed().map(toBytes);
  const now = after.toReversed().map(toBytes);
  for await (const found of compare(comparison, old, now, '')) yield toChange(found);
}

/** The changes as `diff --format json` prints them. */
export async function diffAsJson(
  changes: AsyncIterable<Change>,
): Promise<{ changed?: string[]; added?: string[]; deleted?: string[] }> {
  const lists: Record<ChangeKind, string[]> = { A: [], C: [], D: [] };
  for await (const { kind, path } of changes) lists[kind].push(path);
  const { A: added, C: changed, D: deleted } = lists;
  return {
    ...(changed.length > 0 && { changed }),
    ...(added.length > 0 && { added }),
    ...(deleted.length > 0 && { deleted }),
  };
}

function toChange([kind, path]: Found): Change {
  const raw = fromBytes(path);
  return { kind, path: raw.toString(), raw };
}

const sameList = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((path, index) => path === b[index]);

const byBytes = (a: string, b: string): number => (a < b ? -1 : 1);

/** Compares one directory of both sides. Where the same layers make it up, nothing below it is even read. */
async function* compare(
  comparison: Comparison,
  before: readonly string[],
  after: readonly string[],
  path: string,
): AsyncGenerator<Found> {
  if (sameList(before, after)) return;
  const old = await comparison.reader.list(before);
  const now = await comparison.reader.list(after);
  for (const name of [...new Set([...old.keys(), ...now.keys()])].sort(byBytes)) {
    const child = `${path}/${name}`;
    const changes = compareEntry(comparison, old.get(name), now.get(name), child);
    if (!comparison.ignored.has(child)) yield* changes;
    else for await (const found of changes) if (found[1] !== child) yield found;
  }
}

async function* compareEntry(
  comparison: Comparison,
  old: StackEntry | undefined,
  now: StackEntry | undefined,
  path: string,
): AsyncGenerator<Found> {
  if (now === undefined) {
    yield ['D', path];
  } else if (old === undefined) {
    yield ['A', path];
    yield* compare(comparison, [], now.directories ?? [], path);
  } else if (old.directories !== undefined && now.directories !== undefined) {
    yield* compareDirectory(comparison, old.directories, now.directories, path);
  } else if (old.directories !== undefined || now.directories !== undefined) {
    yield ['C', path];
    yield* compare(comparison, old.directories ?? [], now.directories ?? [], path);
  } else if (old.path !== now.path && (await comparison.differs(old.path, now.path))) {
    yield ['C', path];
  }
}

/** A directory counts as changed by its own owner and mode, or by the first change below it. */
async function* compareDirectory(
  comparison: Comparison,
  old: readonly string[],
  now: readonly string[],
  path: string,
): AsyncGenerator<Found> {
  if (sameList(old, now)) return;
  let told = await ownAttributesDiffer(old[0] ?? '', now[0] ?? '');
  if (told) yield ['C', path];
  for await (const found of compare(comparison, old, now, path)) {
    if (!told) yield ['C', path];
    told = true;
    yield found;
  }
}

const stat = (path: string): Promise<BigIntStats> => lstat(fromBytes(path), { bigint: true });

async function ownAttributesDiffer(old: string, now: string): Promise<boolean> {
  if (old === now) return false;
  const [a, b] = await Promise.all([stat(old), stat(now)]);
  return a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid;
}

async function attributesDiffer(old: string, now: string): Promise<boolean> {
  const [a, b] = await Promise.all([stat(old), stat(now)]);
  if (a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid || a.rdev !== b.rdev) return true;
  if (!a.isSymbolicLink()) return a.size !== b.size || a.mtimeNs !== b.mtimeNs;
  const [from, to] = await Promise.all([old, now].map((path) => readlink(fromBytes(path), 'latin1')));
  return from !== to;
}

/** A file of a layer that changed under all its names at once: where it is, and the names that were already told. */
interface LinkedInode {
  readonly inode: bigint;
  readonly toldPaths: Set<string>;
}

interface LinkWatcher {
  readonly see: (before: string, after: string) => Promise<void>;
  readonly inodes: () => readonly LinkedInode[];
}

/**
 * With the overlay's index, a file with several hard links that is written to through one name changes under the
 * others as well, though only the one name is in the upper directory. The attribute marks such files.
 */
async function linkWatcher(): Promise<LinkWatcher> {
  const readXattr = await xattrReader();
  const known = new Map<string, LinkedInode>();
  return {
    see: async (before, after) => {
      const { ino, dev, nlink } = await stat(before);
      if (nlink < 2n) return;
      if (readXattr(fromBytes(after), 'trusted.overlay.nlink') === undefined) return;
      const entry = known.get(`${dev}:${ino}`) ?? { inode: ino, toldPaths: new Set<string>() };
      entry.toldPaths.add(before);
      known.set(`${dev}:${ino}`, entry);
    },
    inodes: () => [...known.values()],
  };
}

/** The other names of such files, where no layer above hides them. */
async function* linkedChanges(
  reader: StackReader,
  stack: readonly string[],
  inodes: readonly LinkedInode[],
): AsyncGenerator<Change> {
  if (inodes.length === 0) return;
  const told = new Set(inodes.flatMap(({ toldPaths }) => [...toldPaths]));
  const tests = inodes.flatMap(({ inode }, index) => [
    ...(index === 0 ? [] : ['-o']),
    '-inum',
    String(inode),
  ]);
  for (const layer of stack.slice(1)) {
    const root = fromBytes(layer).toString();
    const output = await runOk(
      ['find', root, '-xdev', '(', ...tests, ')', '-printf', '/%P\\0'],
      'find hard links',
    );
    for (const path of output
      .split('\0')
      .filter((line) => line !== '')
      .map(toBytes)) {
      const here = `${layer}${path}`;
      if (!told.has(here) && (await reader.lookup(stack, path))?.path === here) yield toChange(['C', path]);
    }
  }
}
