import { existsSync } from 'node:fs';
import { link, mkdir, readdir, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MEMBER } from '../../archive/members.ts';
import { chainOf } from '../../criu/delta/chain.ts';
import { bundleDirectory, type StorePaths } from '../../system/store-paths.ts';
import { shmArchivePath } from '../bundle-files.ts';
import { DIGESTS, imagesOf } from './entry.ts';

/** CRIU criu/include/image.h CR_PARENT_LINK */
const PARENT = 'parent';
/** Beside CRIU's images, the levels of the chain below them. */
const LEVELS = 'parents';

/**
 * Makes the new directory `into` hold the images of an entry, and inside of it all that they build on, as hard links: no
 * memory is copied, and whatever becomes of the history, this stays as it is. Only links are made.
 */
export async function checkoutImages(entry: string, into: string): Promise<void> {
  const [own = '', ...below] = await chainOf(imagesOf(entry));
  await linkFiles(own, into);
  if (below.length === 0) return;
  await mkdir(join(into, LEVELS), { mode: 0o700 });
  for (const [at, level] of below.entries()) {
    const directory = join(into, LEVELS, String(at + 1));
    await linkFiles(level, directory);
    const from = at === 0 ? into : join(into, LEVELS, String(at));
    await symlink(at === 0 ? join(LEVELS, '1') : join('..', String(at + 1)), join(from, PARENT));
  }
}

/** Moves the chain of a checkout from inside its images to beside them, where the writer of whole images wants it. */
export async function putLevelsBeside(images: string): Promise<void> {
  const inside = join(images, LEVELS);
  if (!existsSync(inside)) return;
  await rename(inside, join(dirname(images), LEVELS));
  await rm(join(images, PARENT));
  await symlink(join('..', LEVELS, '1'), join(images, PARENT));
}

/** Where a container's own checkpoint is made of one of its history. */
export const checkoutTemp = (store: StorePaths, id: string): string =>
  join(bundleDirectory(store, id), '.tmp-named-checkpoint');

/** Makes `into`, in the place of what an earlier try left, a container's own checkpoint: the images of an entry, beside them the content of /dev/shm. */
export async function checkoutCheckpoint(entry: string, into: string): Promise<void> {
  await rm(into, { recursive: true, force: true });
  await checkoutImages(entry, into);
  const shm = join(entry, MEMBER.shm);
  if (existsSync(shm)) await link(shm, shmArchivePath(into));
}

async function linkFiles(from: string, into: string): Promise<void> {
  await mkdir(into, { mode: 0o700 });
  for (const { name } of (await readdir(from, { withFileTypes: true })).filter((one) => one.isFile())) {
    if (name !== DIGESTS) await link(join(from, name), join(into, name));
  }
}
