import { existsSync, statSync } from 'node:fs';
import { lstat, readdir, realpath } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { MEMBER, MEMBER_DIRECTORY, PARENT_LINK } from '../../archive/members.ts';
import { unpackArchive } from '../../archive/reader.ts';
import { chainOf } from '../../criu/delta/chain.ts';
import { layerDiffDirectory } from '../../image/layers.ts';
import type { Container } from '../../model/container.ts';
import { errnoOf, fail } from '../../model/errors.ts';
import type { Image } from '../../model/image.ts';
import { lookupContainer } from '../../state/containers.ts';
import { freeBytes } from '../../system/space.ts';
import { checkpointDirectory } from '../../system/store-paths.ts';
import { treeSize } from '../../system/tree-size.ts';
import { holdsImages } from '../checkpoint-files.ts';
import type { EngineContext } from '../context.ts';
import { imagesOf, rootfsTree } from '../history/entry.ts';
import { type CheckpointReference, lookupReference } from '../history/find.ts';
import { withSnapshot } from '../history/snapshot.ts';
import { lookupLocal } from '../image/find.ts';
import { whileImageFilesStay } from '../image/lock.ts';
import { withContainer } from '../with-container.ts';
import { withScratch } from './scratch.ts';

/** The annotation that makes an image a checkpoint image (podman pkg/annotations; checkpointctl lib/annotations.go). */
const IMAGE_ANNOTATION = 'io.podman.annotations.checkpoint.name';

/** Bytes, as checkpointctl counts them. */
export interface CheckpointSizes {
  /** All of CRIU's images. */
  readonly images: number;
  /** Of which pages of memory. */
  readonly pages: number;
  /** Added and changed files; 0 where they are not a part of the checkpoint. */
  readonly rootfsDiff: number;
}

/** A checkpoint that can be read, wherever it came from. */
export interface CheckpointView {
  readonly kind: 'archive' | 'directory' | 'container' | 'image' | 'history';
  /** As the user gave it. */
  readonly name: string;
  /** Directory of CRIU's images. */
  readonly images: string;
  /** Directory of an archive's other members; undefined for a container's own checkpoint. */
  readonly members: string | undefined;
  /** Directory of the added and changed files, where they lie in a tree and not in rootfs-diff.tar. */
  readonly rootfsTree?: string | undefined;
  /** The container that the checkpoint belongs to, where it is a container's own. */
  readonly container: Container | undefined;
  readonly sizes: CheckpointSizes;
  /** Pages that have not changed since a pre-checkpoint are not there. */
  readonly lacksPrevious: boolean;
}

export interface OpenViewOptions {
  /** The list of added and changed files is needed as well. */
  readonly rootfs?: boolean;
}

/**
 * Gives `work` a checkpoint to read: a file or directory (where a path of this name exists, or the name has a slash and
 * means nothing else), a container's own, or that of a checkpoint image. It cannot change meanwhile; what was unpacked for it is removed in the end.
 * Errors: NO_SUCH_OBJECT, CONTAINER_STATE (no checkpoint), IMAGE_INVALID, ARCHIVE_INVALID, NO_SPACE, BUSY, INTERRUPTED.
 */
export async function withCheckpointView<T>(
  ctx: EngineContext,
  name: string,
  options: OpenViewOptions,
  work: (view: CheckpointView) => Promise<T>,
): Promise<T> {
  if (isFile(name)) return await fromArchive(ctx, name, options, work);
  const reference = lookupReference(ctx, name);
  if (reference !== undefined) return await fromHistory(ctx, reference, work);
  const container = name.includes('/') ? undefined : lookupContainer(ctx.db, name);
  if (container !== undefined) return await fromContainer(ctx, name, container, work);
  if (existsSync(name) && statSync(name).isDirectory())
    return await work(await fromDirectory(name, name, 'directory'));
  const image = name.startsWith('/') || name.startsWith('.') ? undefined : lookupLocal(ctx, name)?.image;
  if (image !== undefined) return await fromImage(ctx, name, image, work);
  return fail('NO_SUCH_OBJECT', {
    message: `no checkpoint "${name}": no file, no container and no checkpoint image has this name`,
    hint: 'Give the path of an archive, CONTAINER@NAME, or the name of a container or an image.',
  });
}

function isFile(path: string): boolean {
  try {
    return !statSync(path).isDirectory();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR' || errnoOf(error) === 'ENAMETOOLONG')
      return false;
    throw error;
  }
}

const PRE_IMAGES = `${MEMBER_DIRECTORY.preImages}/`;
/** Tells a pre-checkpoint; no more of it is looked at. */
const PRE_INVENTORY = `${PRE_IMAGES}inventory.img`;

/** Members that no view needs: they may be large. */
const UNNEEDED = new Set<string>([MEMBER.shm, MEMBER.log, MEMBER.image]);

const fromArchive = <T>(
  ctx: EngineContext,
  path: string,
  { rootfs = false }: OpenViewOptions,
  work: (view: CheckpointView) => Promise<T>,
): Promise<T> =>
  withScratch(ctx.store, async (directory) => {
    const { members } = await unpackArchive({
      source: { path },
      directory,
      wants: (name) =>
        !UNNEEDED.has(name) &&
        (!name.startsWith(PRE_IMAGES) || name === PRE_INVENTORY) &&
        !name.startsWith(`${MEMBER_DIRECTORY.volumes}/`) &&
        (rootfs || name !== MEMBER.rootfsDiff),
      maxBytes: await freeBytes(directory),
      signal: ctx.signal,
    });
    const images = join(directory, MEMBER_DIRECTORY.images);
    requireImages(images, path, directory);
    const of = (prefix: string): number =>
      members.reduce((sum, { name, size }) => sum + (name.startsWith(prefix) ? size : 0), 0);
    const sizes = {
      images: of(`${MEMBER_DIRECTORY.images}/`),
      pages: of(`${MEMBER_DIRECTORY.images}/pages-`),
      rootfsDiff: of(MEMBER.rootfsDiff),
    };
    return await work({
      kind: 'archive',
      name: path,
      images,
      members: directory,
      container: undefined,
      sizes,
      lacksPrevious: await lacksPrevious(images),
    });
  });

const fromContainer = <T>(
  ctx: EngineContext,
  name: string,
  { config }: Container,
  work: (view: CheckpointView) => Promise<T>,
): Promise<T> =>
  withContainer(ctx, config.id, 'checkpoint inspect', async (container) => {
    const images = checkpointDirectory(ctx.store, config.id);
    if (!holdsImages(images)) {
      fail('CONTAINER_STATE', {
        message: `container ${config.name} has no checkpoint`,
        hint: `Make one: cryopod container checkpoint --leave-running ${config.name}`,
      });
    }
    const sizes = { ...(await imageSizes(images)), rootfsDiff: 0 };
    const lacks = await lacksPrevious(images);
    return await work({
      kind: 'container',
      name,
      images,
      members: undefined,
      container,
      sizes,
      lacksPrevious: lacks,
    });
  });

/** As it is now: what happens to the history meanwhile does not touch it. */
const fromHistory = <T>(
  ctx: EngineContext,
  reference: CheckpointReference,
  work: (view: CheckpointView) => Promise<T>,
): Promise<T> =>
  withSnapshot(ctx, reference, { whole: false }, async ({ directory }) => {
    const images = imagesOf(directory);
    const tree = rootfsTree(directory);
    return await work({
      kind: 'history',
      name: reference.text,
      images,
      members: directory,
      rootfsTree: tree,
      container: undefined,
      sizes: { ...(await chainSizes(images)), rootfsDiff: await treeSize(tree) },
      lacksPrevious: false,
    });
  });

/** With the pages of the whole chain. */
async function chainSizes(images: string): Promise<Omit<CheckpointSizes, 'rootfsDiff'>> {
  const levels = await Promise.all((await chainOf(images)).map(imageSizes));
  const pages = levels.reduce((sum, level) => sum + level.pages, 0);
  const [own = { images: 0, pages: 0 }] = levels;
  return { images: own.images - own.pages + pages, pages };
}

const fromImage = <T>(
  ctx: EngineContext,
  name: string,
  { annotations, layers }: Image,
  work: (view: CheckpointView) => Promise<T>,
): Promise<T> =>
  whileImageFilesStay(ctx, name, async () => {
    const layer = layers.at(-1);
    if (!(IMAGE_ANNOTATION in annotations) || layer === undefined) {
      return fail('NO_SUCH_OBJECT', {
        message: `image ${name} holds no checkpoint`,
        hint: 'cryopod inspect shows what an ordinary image holds.',
      });
    }
    return await work(await fromDirectory(layerDiffDirectory(ctx.store, layer), name, 'image'));
  });

/** An unpacked archive, or CRIU's images alone. */
async function fromDirectory(
  path: string,
  name: string,
  kind: CheckpointView['kind'],
): Promise<CheckpointView> {
  const members = await realpath(resolve(path));
  const inside = join(members, MEMBER_DIRECTORY.images);
  const images = holdsImages(inside) ? inside : members;
  requireImages(images, name, members);
  if (!(await lstat(images)).isDirectory()) {
    fail('IMAGE_INVALID', { message: `${MEMBER_DIRECTORY.images} of ${name} is a symbolic link` });
  }
  const diff = join(members, MEMBER.rootfsDiff);
  const sizes = { ...(await imageSizes(images)), rootfsDiff: await fileSize(diff) };
  const lacks = await lacksPrevious(images);
  return { kind, name, images, members, container: undefined, sizes, lacksPrevious: lacks };
}

/** What the link `parent` names is not a directory of images: at most its inventory was unpacked. */
async function lacksPrevious(images: string): Promise<boolean> {
  const parent = join(images, basename(PARENT_LINK.name));
  const isLink = (await lstat(parent).catch(() => undefined))?.isSymbolicLink() === true;
  return isLink && !existsSync(parent);
}

function requireImages(images: string, name: string, members: string): void {
  if (holdsImages(images)) return;
  if (existsSync(join(members, PRE_INVENTORY))) {
    fail('CONTAINER_STATE', {
      message: `${name} is a pre-checkpoint: it holds memory and no processes that could be shown`,
      hint: 'It is of use with the checkpoint after it: cryopod container restore --import-previous FILE --import FILE',
    });
  }
  fail('ARCHIVE_INVALID', {
    message: `${name} holds no complete checkpoint: there is no inventory.img in it`,
    hint: 'Was it the output of container checkpoint --export? A pre-checkpoint holds memory only.',
  });
}

async function imageSizes(images: string): Promise<Omit<CheckpointSizes, 'rootfsDiff'>> {
  let all = 0;
  let pages = 0;
  for (const name of await readdir(images)) {
    const size = await fileSize(join(images, name));
    all += size;
    if (name.startsWith('pages-')) pages += size;
  }
  return { images: all, pages };
}

/** 0 for what is not there or no regular file. */
async function fileSize(path: string): Promise<number> {
  try {
    const stat = await lstat(path);
    return stat.isFile() ? stat.size : 0;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0;
    throw error;
  }
}
