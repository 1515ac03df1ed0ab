import { type BigIntStats, createReadStream } from 'node:fs';
import { chmod, chown, lstat, mkdir, open, readdir, rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { errnoOf, fail } from '../model/errors.ts';
import { publish, type SyncChoice, syncFileSystem, tempBeside } from '../system/durable.ts';
import { attributeCopier, makeWhiteout } from '../system/libc.ts';
import { overlayDirectory, type StorePaths } from '../system/store-paths.ts';
import type { Deletions } from './changes-archive.ts';
import { fromBytes, openStackReader, type StackEntry, toBytes } from './layer-stack.ts';
import { ROOT_MODE, upperDirectory } from './overlay.ts';
import { unpackTree } from './tar.ts';

/**
 * Gives a new container the changes of another one: the archive on the file descriptor `input`, and the deletions.
 * `layers`: absolute paths, lowest first, of the image that both have. The archive may be hostile: it is unpacked by
 * itself into a fresh directory, in which no link leads anywhere yet, and that becomes the container's upper directory
 * in one step. Fails with ARCHIVE_INVALID for a malformed archive and CONTAINER_STATE where the container has changes.
 */
export async function applyChanges(
  store: StorePaths,
  id: string,
  layers: readonly string[],
  input: number,
  { deleted, sync }: Deletions & SyncChoice,
): Promise<void> {
  const upper = upperDirectory(store, id);
  await mkdir(overlayDirectory(store, id), { recursive: true, mode: 0o700 });
  const temp = tempBeside(upper);
  const listing = `${temp}.list`;
  try {
    await mkdir(temp, { mode: 0o700 });
    await unpack(input, temp, listing);
    const image = await openImage(layers);
    const listed = await listedDirectories(listing);
    await adoptDirectories(toBytes(temp), '', listed, image);
    // podman leaves / out of its archives.
    if (!listed.has('')) await chmod(temp, ROOT_MODE);
    await becomeUpper(temp, upper, image, { deleted, sync });
  } finally {
    await rm(temp, { recursive: true, force: true });
    await rm(listing, { force: true });
  }
}

/**
 * {@link applyChanges} of files that lie in the directory `tree` already, with all directories above them; that becomes the
 * container's upper directory, on the same file system. Fails with CONTAINER_STATE where the container has changes.
 */
export async function placeChanges(
  store: StorePaths,
  id: string,
  layers: readonly string[],
  tree: string,
  choice: Deletions & SyncChoice,
): Promise<void> {
  await mkdir(overlayDirectory(store, id), { recursive: true, mode: 0o700 });
  await becomeUpper(tree, upperDirectory(store, id), await openImage(layers), choice);
}

async function becomeUpper(
  tree: string,
  upper: string,
  image: Image,
  { deleted, sync }: Deletions & SyncChoice,
): Promise<void> {
  for (const path of deleted) await markDeleted(toBytes(tree), path, image);
  if (sync) await syncFileSystem(tree);
  try {
    await publish(tree, upper);
  } catch (error) {
    if (errnoOf(error) !== 'ENOTEMPTY') throw error;
    fail('CONTAINER_STATE', {
      message: `${upper} has content: the container has changes of its own already`,
    });
  }
}

async function unpack(input: number, directory: string, listing: string): Promise<void> {
  const file = await open(listing, 'wx', 0o600);
  try {
    await unpackTree(directory, input, 'the changes of the root file system', { listing: file.fd });
  } finally {
    await file.close();
  }
}

/** The directories that the archive lists itself, by their paths in the container; tar writes them with a `/` behind. */
async function listedDirectories(listing: string): Promise<ReadonlySet<string>> {
  const listed = new Set<string>();
  for await (const line of createInterface({ input: createReadStream(listing, 'latin1') })) {
    if (line.endsWith('/'))
      listed.add(`/${decodeEscapes(line).replace(/^(\.?\/)+/, '')}`.replace(/\/+$/, ''));
  }
  return listed;
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** GNU tar's quoting style "escape" (tar manual, "Quoting Member Names"): C's escapes, octal for other bytes. */
const decodeEscapes = (line: string): string =>
  line.replace(/\\([0-7]{3}|.)/g, (_, code: string) =>
    code.length === 3 ? String.fromCharCode(Number.parseInt(code, 8)) : (ESCAPES[code] ?? code),
  );

/** What the image has at a path of the container. */
type Image = (path: string) => Promise<StackEntry | undefined>;

async function openImage(layers: readonly string[]): Promise<Image> {
  const reader = await openStackReader();
  const roots = layers.toReversed().map(toBytes);
  return (path) => reader.lookup(roots, path);
}

/** Directories that tar made on the way to a member look as they do in the image. */
async function adoptDirectories(
  root: string,
  path: string,
  listed: ReadonlySet<string>,
  image: Image,
): Promise<void> {
  for (const entry of await readdir(fromBytes(`${root}${path}`), {
    withFileTypes: true,
    encoding: 'latin1',
  })) {
    if (!entry.isDirectory()) continue;
    await adoptDirectories(root, `${path}/${entry.name}`, listed, image);
  }
  if (!listed.has(path)) await adopt(`${root}${path}`, await image(path));
}

async function adopt(directory: string, original: StackEntry | undefined): Promise<void> {
  if (original?.directories === undefined) return;
  const { uid, gid, mode, atimeNs, mtimeNs } = await lstat(fromBytes(original.path), { bigint: true });
  const { setTimes } = await attributeCopier();
  await chown(fromBytes(directory), Number(uid), Number(gid));
  await chmod(fromBytes(directory), Number(mode & 0o7777n));
  setTimes(fromBytes(directory), atimeNs, mtimeNs);
}

/**
 * Nothing is done where the image does not have the path, or the archive put something in its way or place. Directories keep
 * their times.
 */
async function markDeleted(root: string, deleted: string, image: Image): Promise<void> {
  const names = toBytes(deleted)
    .split('/')
    .filter((name) => name !== '' && name !== '.');
  const last = names.pop();
  if (last === undefined || names.includes('..') || last === '..') {
    fail('ARCHIVE_INVALID', {
      message: `the archive deletes ${JSON.stringify(deleted)}, which is no path of a file`,
    });
  }
  if ((await image(deleted)) === undefined) return;
  let path = '';
  for (const name of names) {
    const above = `${root}${path}`;
    path = `${path}/${name}`;
    const stat = await lstatOrUndefined(`${root}${path}`);
    if (stat === undefined) {
      await keepingTimes(above, () => mkdir(fromBytes(`${root}${path}`), { mode: 0o700 }));
      await adopt(`${root}${path}`, await image(path));
    } else if (!stat.isDirectory()) return;
  }
  if ((await lstatOrUndefined(`${root}${path}/${last}`)) !== undefined) return;
  await keepingTimes(`${root}${path}`, () => makeWhiteout(fromBytes(`${root}${path}/${last}`)));
}

async function keepingTimes(directory: string, work: () => Promise<unknown>): Promise<void> {
  const { atimeNs, mtimeNs } = await lstat(fromBytes(directory), { bigint: true });
  const { setTimes } = await attributeCopier();
  await work();
  setTimes(fromBytes(directory), atimeNs, mtimeNs);
}

async function lstatOrUndefined(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(fromBytes(path), { bigint: true });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
