import { lstatSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { remappedFiles } from '../criu/remapped-files.ts';
import { type ImageMount, readImageMounts } from '../criu/view/mounts.ts';
import type { Container } from '../model/container.ts';
import { errnoOf, fail } from '../model/errors.ts';
import { mergedDirectory } from '../rootfs/overlay.ts';
import { shmDirectory } from '../rootfs/shm.ts';
import { volumeMountpoint } from '../rootfs/volumes.ts';
import { runOk } from '../system/process.ts';
import type { EngineContext } from './context.ts';

/**
 * Refuses to restore where CRIU would follow a symbolic link when it makes or removes the names of deleted files: a
 * container, or whoever edited its archive, would have files of the host written or removed. The container's files are
 * mounted. Errors: RESTORE_REFUSED, IMAGE_INVALID.
 */
export async function refuseLinkedRemaps(
  ctx: EngineContext,
  container: Container,
  images: string,
): Promise<void> {
  const names = await remappedFiles(images);
  if (names.length === 0) return;
  const mounts = await readImageMounts(images);
  for (const name of names) {
    // Which of them CRIU takes is for the images to say.
    for (const mount of mounts.filter(({ destination }) => isWithin(name, destination))) {
      const isSafe = await staysWithin(ctx, container, { images, mount, name });
      if (!isSafe) refuse(container, name);
    }
  }
}

const isWithin = (name: string, directory: string): boolean =>
  directory === '/' || name === directory || name.startsWith(`${directory}/`);

function refuse({ config }: Container, name: string): never {
  fail('RESTORE_REFUSED', {
    message: `cannot restore ${config.name}: a process has the deleted file ${name} open, whose name leads through a symbolic link now; CRIU would follow it on the host`,
    hint: 'Put a directory in the place of the link before the checkpoint, or let the process close the file.',
  });
}

interface Place {
  readonly images: string;
  readonly mount: ImageMount;
  readonly name: string;
}

async function staysWithin(
  ctx: EngineContext,
  container: Container,
  { images, mount, name }: Place,
): Promise<boolean> {
  const inside = relative(mount.destination, name);
  const source = sourceOf(ctx, container, mount);
  if (source !== undefined) return !leadsThroughLink(source, inside);
  return mount.type === 'tmpfs' && !(await linkNames(images)).some((link) => isWithin(inside, link));
}

/** Where the files of a mount lie on the host; undefined for one that CRIU makes itself. */
function sourceOf(ctx: EngineContext, { config }: Container, mount: ImageMount): string | undefined {
  if (mount.destination === '/') return mergedDirectory(ctx.store, config.id);
  const own = config.mounts.find(({ destination }) => destination === (mount.key ?? mount.destination));
  if (own?.type === 'volume') return volumeMountpoint(ctx.store, own.source);
  if (own?.type === 'bind') return own.source;
  return mount.external && mount.key === '/dev/shm' ? shmDirectory(ctx.store, config.id) : undefined;
}

/** Any part of the path, its last name included, is a symbolic link. What is not there is none. */
function leadsThroughLink(root: string, path: string): boolean {
  let at = root;
  for (const part of path.split('/')) {
    at = join(at, part);
    try {
      if (lstatSync(at).isSymbolicLink()) return true;
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return false;
      throw error;
    }
  }
  return false;
}

/** CRIU unpacks these into the tmpfs that it mounts (CRIU criu/filesystems.c tmpfs_restore). */
const TMPFS = /^tmpfs-(?:dev-)?\d+\.tar\.gz\.img$/;
/** A symbolic link, or a hard link, which may be one to a symbolic link; the rest of the line begins with its name. */
const LINK = /^[lh]\S* +\S+ +\S+ +\S+ +\S+ (.*?) (?:->|link to) /;

/** Names of all links in all of them: which belongs to which mount is for the images to say. */
async function linkNames(images: string): Promise<string[]> {
  const links: string[] = [];
  for (const file of (await readdir(images)).filter((one) => TMPFS.test(one))) {
    const command = ['tar', '--list', '--verbose', '--gzip', '--quoting-style=escape', `--file=${file}`];
    const listing = await runOk(command, 'look into a tmpfs', { cwd: images });
    for (const line of listing.split('\n')) {
      const [, name] = LINK.exec(line) ?? [];
      if (name !== undefined) links.push(name.replace(/^\.\//, ''));
    }
  }
  return links;
}
