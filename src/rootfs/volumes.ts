import { chmod, chown, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf } from '../model/errors.ts';
import { existsInRoot, resolveInRoot } from '../system/confined-path.ts';
import { publish, syncTree, TEMP_PREFIX, tempBeside } from '../system/durable.ts';
import { runOk } from '../system/process.ts';
import { type StorePaths, volumesDirectory } from '../system/store-paths.ts';

/** The content of a volume. */
export const volumeMountpoint = (store: StorePaths, name: string): string =>
  join(volumesDirectory(store), name, '_data');

/** Makes the directories of a volume; returns its mount point. Idempotent. */
export async function createVolumeDirectory(store: StorePaths, name: string): Promise<string> {
  const mountpoint = volumeMountpoint(store, name);
  const made = await mkdir(mountpoint, { recursive: true, mode: 0o700 });
  // The users inside the container must be able to enter; the directories above keep the host's users out.
  if (made !== undefined) await chmod(mountpoint, 0o755);
  return mountpoint;
}

/** Removes a volume's files. Idempotent; never crosses into a file system mounted inside, but fails there. */
export async function removeVolumeDirectory(store: StorePaths, name: string): Promise<void> {
  const directory = join(volumesDirectory(store), name);
  await runOk(['rm', '-rf', '--one-file-system', '--', directory], `remove the volume ${name}`);
}

/** Names of the volumes that have files, recorded or not. */
export async function volumeNames(store: StorePaths): Promise<string[]> {
  try {
    return await readdir(volumesDirectory(store));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Bytes that a volume's files take on disk. */
export async function volumeSize(store: StorePaths, name: string): Promise<number> {
  const command = [
    'du',
    '--summarize',
    '--block-size=1',
    '--one-file-system',
    '--',
    volumeMountpoint(store, name),
  ];
  return Number.parseInt(await runOk(command, `measure the volume ${name}`), 10);
}

/**
 * Fills an empty volume with what the image has at the mount point: content, owner and mode of the directory itself too.
 * Atomic: after a crash the volume is empty or full. Does nothing when the volume has content already or the image has
 * no such directory; may be repeated. The mount point becomes another directory, so it must not be mounted yet.
 */
export async function copyUp(rootfs: string, destination: string, mountpoint: string): Promise<void> {
  await removeLeftovers(mountpoint);
  if (!existsInRoot(rootfs, destination) || (await readdir(mountpoint)).length > 0) return;
  const source = resolveInRoot(rootfs, destination);
  const image = await stat(source);
  if (!image.isDirectory()) return;
  if ((await readdir(source)).length === 0) {
    await chown(mountpoint, image.uid, image.gid);
    await chmod(mountpoint, image.mode & 0o7777);
    return;
  }
  const temp = tempBeside(mountpoint);
  const command = ['cp', '--archive', '--reflink=auto', '--no-target-directory', '--', source, temp];
  try {
    await runOk(command, `fill the volume at ${mountpoint}`);
    await syncTree(temp);
    await publish(temp, mountpoint);
  } catch (error) {
    await rm(temp, { recursive: true, force: true });
    // Another container filled the volume first.
    if (errnoOf(error) !== 'ENOTEMPTY') throw error;
  }
}

async function removeLeftovers(mountpoint: string): Promise<void> {
  const directory = dirname(mountpoint);
  for (const name of await readdir(directory)) {
    if (name.startsWith(TEMP_PREFIX)) await rm(join(directory, name), { recursive: true, force: true });
  }
}
