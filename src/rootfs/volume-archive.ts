import { mkdir, readdir, rm } from 'node:fs/promises';
import { errnoOf, fail } from '../model/errors.ts';
import { publish, type SyncChoice, syncFileSystem, tempBeside } from '../system/durable.ts';
import { runOk } from '../system/process.ts';
import type { StorePaths } from '../system/store-paths.ts';
import { throughPipe } from '../system/through-pipe.ts';
import { FAITHFUL, unpackTree } from './tar.ts';
import { volumeMountpoint } from './volumes.ts';

/**
 * Writes a volume's content as a tar archive into an open file or pipe (volumes/NAME.tar of an archive). Nothing may
 * change in it meanwhile. Sockets are left out. Errors: PROGRAM_FAILED.
 */
export const writeVolume = (store: StorePaths, name: string, output: number): Promise<void> =>
  writeDirectory(volumeMountpoint(store, name), name, output);

async function writeDirectory(directory: string, name: string, output: number): Promise<void> {
  const command = [
    'tar',
    '--create',
    '--file=-',
    `--directory=${directory}`,
    '--one-file-system',
    '--sparse',
    '--warning=no-file-ignored',
    ...FAITHFUL,
    '.',
  ];
  await runOk(command, `archive the volume ${name}`, { stdout: output });
}

/**
 * Gives a new, empty volume the content of an archive that may be hostile: it is unpacked into a fresh directory, which
 * then takes the volume's place in one step. Fails with ARCHIVE_INVALID for a malformed archive, NAME_IN_USE
 * where the volume has content.
 */
export async function fillVolume(
  store: StorePaths,
  name: string,
  input: number,
  { sync }: SyncChoice,
): Promise<void> {
  const mountpoint = volumeMountpoint(store, name);
  if ((await readdir(mountpoint)).length > 0) {
    fail('NAME_IN_USE', { message: `volume ${name} has content already` });
  }
  const temp = tempBeside(mountpoint);
  try {
    await mkdir(temp, { mode: 0o755 });
    await unpackTree(temp, input, `the content of the volume ${name}`);
    if (sync) await syncFileSystem(temp);
    await publish(temp, mountpoint);
  } finally {
    await rm(temp, { recursive: true, force: true });
  }
}

/**
 * Makes the directory `tree` the content of a new, empty volume: in one step, but where the volume is on a file system of its
 * own, to which it is copied. Not synced. Errors: NO_SPACE, PROGRAM_FAILED.
 */
export async function placeVolume(store: StorePaths, name: string, tree: string): Promise<void> {
  try {
    await publish(tree, volumeMountpoint(store, name));
  } catch (error) {
    if (errnoOf(error) !== 'EXDEV') throw error;
    await throughPipe(
      (fd) => writeDirectory(tree, name, fd),
      (fd) => fillVolume(store, name, fd, { sync: false }),
    );
  }
}
