import { mkdir } from 'node:fs/promises';
import { runOk } from '../system/process.ts';
import type { StorePaths } from '../system/store-paths.ts';
import { throughPipe } from '../system/through-pipe.ts';
import { type Deletions, writeChanges } from './changes-archive.ts';
import type { Change } from './diff.ts';
import { unpackTree } from './tar.ts';
import { writeVolume } from './volume-archive.ts';

/**
 * Copies the added and changed files of a mounted root file system into the new directory `into`, as an ordinary tree,
 * and returns the deleted paths. Nothing may change in it meanwhile. Not synced. Errors: PROGRAM_FAILED, NO_SPACE.
 */
export async function copyChanges(
  rootfs: string,
  changes: AsyncIterable<Change>,
  into: string,
): Promise<Deletions> {
  await mkdir(into, { mode: 0o700 });
  return await throughPipe(
    (fd) => writeChanges(rootfs, withDirectories(changes), fd),
    (fd) => unpackTree(into, fd, 'the changed files'),
  );
}

/** A change may lie in a directory that did not change itself: the tree has to have it as it is. */
async function* withDirectories(changes: AsyncIterable<Change>): AsyncGenerator<Change> {
  const told = new Set<string>();
  for await (const change of changes) {
    if (change.kind !== 'D') {
      yield* untold(change.raw, told);
      told.add(change.raw.toString('latin1'));
    }
    yield change;
  }
}

const SLASH = '/'.charCodeAt(0);

function* untold(raw: Buffer, told: Set<string>): Generator<Change> {
  for (let end = raw.indexOf(SLASH, 1); end > 0; end = raw.indexOf(SLASH, end + 1)) {
    const directory = raw.subarray(0, end);
    const key = directory.toString('latin1');
    if (told.has(key)) continue;
    told.add(key);
    yield { kind: 'C', path: directory.toString(), raw: directory };
  }
}

/** Copies a volume's content into the new directory `into`. Nothing may change in it meanwhile. Not synced. */
export async function copyVolume(store: StorePaths, name: string, into: string): Promise<void> {
  await mkdir(into, { mode: 0o755 });
  await throughPipe(
    (fd) => writeVolume(store, name, fd),
    (fd) => unpackTree(into, fd, `the volume ${name}`),
  );
}

/** Writes a tree that {@link copyChanges} or {@link copyVolume} made as a tar archive. Errors: PROGRAM_FAILED. */
export async function writeTree(tree: string, output: number): Promise<void> {
  const command = [
    'tar',
    '--create',
    '--file=-',
    `--directory=${tree}`,
    '--format=posix',
    '--numeric-owner',
    '--xattrs',
    '--xattrs-include=*',
    '--sparse',
    '.',
  ];
  await runOk(command, `read the files in ${tree}`, { stdout: output });
}
