import { mkdir, readdir, rm } from 'node:fs/promises';
import { fail } from '../model/errors.ts';
import { publish, type SyncChoice, syncFileSystem, tempBeside } from '../system/durable.ts';
import { failRun, run, runOk } from '../system/process.ts';
import type { StorePaths } from '../system/store-paths.ts';
import { volumeMountpoint } from './volumes.ts';

/** Everything that a file has, as a layer of an image would keep it. */
const FAITHFUL = ['--numeric-owner', '--xattrs', '--xattrs-include=*'];

/**
 * Writes a volume's content as a tar archive into an open file or pipe (volumes/NAME.tar of an archive). Nothing may
 * change in it meanwhile. Sockets are left out. Errors: PROGRAM_FAILED.
 */
export async function writeVolume(store: StorePaths, name: string, output: number): Promise<void> {
  const command = [
    'tar',
    '--create',
    '--file=-',
    `--directory=${volumeMountpoint(store, name)}`,
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
 * Unpacks a tar archive that may be hostile into an empty directory. GNU tar refuses `..`, makes absolute names relative
 * and makes links that lead out of the directory last, so that nothing is written through one. Attributes of overlayfs
 * are not taken. Fails with ARCHIVE_INVALID; `what` completes "cannot unpack …".
 */
export async function unpackTree(directory: string, input: number, what: string): Promise<void> {
  const command = [
    'tar',
    '--extract',
    '--file=-',
    `--directory=${directory}`,
    '--same-owner',
    '--preserve-permissions',
    '--delay-directory-restore',
    '--warning=no-timestamp',
    '--warning=no-unknown-keyword',
    ...FAITHFUL,
    '--xattrs-exclude=trusted.*',
  ];
  const result = await run(command, { input });
  if (result.missing) failRun(result, `unpack ${what}`);
  if (result.ok) return;
  const words = result.stderr.trim().split('\n').slice(-3).join('; ');
  if (words.includes('No space left')) fail('NO_SPACE', { message: `could not unpack ${what}: ${words}` });
  fail('ARCHIVE_INVALID', { message: `cannot unpack ${what}: ${words}` });
}
