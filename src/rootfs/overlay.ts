import { chmod, chown, lstat, mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { errnoOf, fail } from '../model/errors.ts';
import { waitFor } from '../system/clock.ts';
import { logInfo } from '../system/log.ts';
import { isMounted, unmountTree } from '../system/mounts.ts';
import { type RunResult, run, runOk } from '../system/process.ts';
import { spaceAt } from '../system/space.ts';
import {
  containerDirectory,
  overlayDirectory,
  runDirectory,
  type StorePaths,
} from '../system/store-paths.ts';

/**
 * - nodev: device nodes of an image or of a process inside must not open devices of the host.
 * - metacopy=off, redirect_dir=nofollow: the upper directory then holds whole files and whole directories, so that a
 *   diff or an archive made from it is complete, and attributes in a hostile layer cannot point elsewhere.
 * - index=on, nfs_export=on: file handles can then be opened, without which CRIU cannot find what an inotify watch
 *   looks at ("Can't dump that handle", criu/fsnotify.c). Hard links also survive being written to.
 */
const OPTIONS = ['nodev', 'metacopy=off', 'redirect_dir=nofollow'];
const WITH_HANDLES = ['index=on', 'nfs_export=on'];
const WITHOUT_HANDLES = ['index=off', 'nfs_export=off'];

/**
 * Mode of every container's `/`, whatever its image says: podman's (containers/storage, defaultPerms). CRIU restores only
 * onto a `/` of the mode that it was when frozen, and no archive can carry that mode to podman.
 */
export const ROOT_MODE = 0o555;

/** How long an upper directory may still be in use by a mount that is going away, in milliseconds. */
const BUSY_LIMIT = 2000;

/** File systems that cannot hold an upper directory, by statfs(2)'s f_type (linux/magic.h). */
const UNSUITABLE: ReadonlyMap<number, string> = new Map([
  [0x794c7630, 'overlayfs'],
  [0x6969, 'NFS'],
  [0x65735546, 'FUSE'],
  [0x4d44, 'FAT'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x01021997, '9P'],
]);

export const upperDirectory = (store: StorePaths, id: string): string =>
  join(overlayDirectory(store, id), 'upper');
/** Where the root file system is mounted while the container is. */
export const mergedDirectory = (store: StorePaths, id: string): string =>
  join(overlayDirectory(store, id), 'merged');

/**
 * Mounts a container's root file system: its own writable directory over the image's unpacked layers (absolute paths,
 * lowest first). Returns the path of the mount. Idempotent; the caller holds the container's lock. Only root can reach
 * what lies in the container's directory. Fails with MOUNT_FAILED.
 */
export async function mountRootfs(store: StorePaths, id: string, layers: readonly string[]): Promise<string> {
  const merged = mergedDirectory(store, id);
  if (isMounted(merged)) return merged;
  const directory = overlayDirectory(store, id);
  await prepare(directory, layers);
  const lower = layers.length === 0 ? ['none'] : (await linkLayers(directory, layers)).toReversed();
  const layerOptions = [`lowerdir=${lower.join(':')}`, 'upperdir=upper', 'workdir=work'];
  const first = await mountOverlay(directory, [...OPTIONS, ...WITH_HANDLES, ...layerOptions]);
  if (first.ok) return merged;
  // A store that was copied to another disk no longer matches its index (ESTALE), and the kernel then only mounts
  // without one. So it does for an upper directory that some process keeps busy.
  const second = await mountOverlay(directory, [...OPTIONS, ...WITHOUT_HANDLES, ...layerOptions]);
  if (!second.ok) return failMount(directory, second);
  logInfo(
    `container ${id}: mounted without file handles, inotify watches cannot be checkpointed: ${reason(first)}`,
  );
  return merged;
}

/** Unmounts the root file system and whatever is mounted inside. Idempotent. */
export const unmountRootfs = (store: StorePaths, id: string): Promise<void> =>
  unmountTree(mergedDirectory(store, id));

/**
 * Removes all files of a container, mounts first: its directory in the store and the volatile one. Idempotent, and can
 * be repeated after a crash. Never crosses into another file system.
 */
export async function removeContainerFiles(store: StorePaths, id: string): Promise<void> {
  for (const directory of [containerDirectory(store, id), runDirectory(store, id)]) {
    await unmountTree(directory);
    await runOk(['rm', '-rf', '--one-file-system', '--', directory], `remove ${directory}`);
  }
}

async function prepare(directory: string, layers: readonly string[]): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const upper = join(directory, 'upper');
  const isNew = (await mkdir(upper, { recursive: true, mode: 0o700 })) !== undefined;
  for (const name of ['work', 'merged']) await mkdir(join(directory, name), { recursive: true, mode: 0o700 });
  const top = layers.at(-1);
  if (top === undefined) await mkdir(join(directory, 'none'), { recursive: true, mode: 0o755 });
  if (!isNew) return;
  // The container's / takes owner and mode from the upper directory.
  const { uid, gid } = top === undefined ? { uid: 0, gid: 0 } : await layerRoot(top);
  await chown(upper, uid, gid);
  await chmod(upper, ROOT_MODE);
}

async function layerRoot(layer: string): Promise<{ uid: number; gid: number }> {
  try {
    return await lstat(layer);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return fail('MOUNT_FAILED', {
      message: `the image layer ${layer} is missing from the store`,
      hint: 'Pull, load or import the image again.',
    });
  }
}

/**
 * Short names for the layers, relative to the overlay directory: mount(2) takes 4095 bytes of options, 60 layers' full
 * paths would not fit, and a path of the store may hold commas and colons.
 */
async function linkLayers(directory: string, layers: readonly string[]): Promise<string[]> {
  const names = layers.map((_, index) => `l/${index.toString(36)}`);
  const links = join(directory, 'l');
  await mkdir(links, { recursive: true, mode: 0o700 });
  const wanted = layers.map((layer) => relative(links, layer));
  const present = new Set(await readdir(links));
  for (const [index, target] of wanted.entries()) {
    const path = join(directory, names[index] ?? '');
    if (present.has(index.toString(36))) {
      if ((await readlink(path)) === target) continue;
      await rm(path);
    }
    await symlink(target, path);
  }
  return names;
}

/** LIBMOUNT_FORCE_MOUNT2: mount(8) from util-linux 2.39 on uses fsconfig(2), which refuses values over 255 bytes. */
async function mountOverlay(directory: string, options: readonly string[]): Promise<RunResult> {
  const command = ['mount', '-t', 'overlay', '-o', options.join(','), '--', 'overlay', 'merged'];
  const attempt = (): Promise<RunResult> =>
    run(command, { cwd: directory, env: { LIBMOUNT_FORCE_MOUNT2: 'always' } });
  let last = await attempt();
  if (!isBusy(last)) return last;
  await waitFor(async () => {
    last = await attempt();
    return !isBusy(last);
  }, BUSY_LIMIT);
  return last;
}

/** mount(8)'s words for EBUSY. */
const isBusy = (result: RunResult): boolean => !result.ok && /busy|already mounted/.test(result.stderr);

const reason = (result: RunResult): string => result.stderr.trim().split('\n')[0] ?? '';

async function failMount(directory: string, result: RunResult): Promise<never> {
  const fileSystem = UNSUITABLE.get((await spaceAt(directory)).type);
  const what = `could not mount the root file system at ${join(directory, 'merged')}`;
  if (fileSystem === undefined) return fail('MOUNT_FAILED', { message: `${what}: ${reason(result)}` });
  return fail('MOUNT_FAILED', {
    message: `${what}: the store lies on ${fileSystem}, which cannot hold a writable overlay directory`,
    hint: 'Use --root with a directory on ext4, xfs, btrfs or tmpfs.',
  });
}
