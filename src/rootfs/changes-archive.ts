import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { errnoOf } from '../model/errors.ts';
import { logWarning } from '../system/log.ts';
import { failRun, run } from '../system/process.ts';
import type { Change } from './diff.ts';

/** What a tar of changes cannot hold. */
export interface Deletions {
  /** Paths in the container that are no more, as in deleted.files of podman's archives. */
  readonly deleted: readonly string[];
}

/**
 * Writes the added and changed paths as a tar archive to the file descriptor `output` (rootfs-diff.tar of a checkpoint
 * archive) and returns the deleted ones. `rootfs` is the mounted root file system, in which nothing may change
 * meanwhile. Each directory is listed by itself, with its owner and mode; sockets are left out.
 */
export async function writeChanges(
  rootfs: string,
  changes: AsyncIterable<Change>,
  output: number,
): Promise<Deletions> {
  const deleted: string[] = [];
  const command = [
    'tar',
    '--create',
    '--file=-',
    `--directory=${rootfs}`,
    '--format=posix',
    '--numeric-owner',
    '--xattrs',
    '--xattrs-include=*',
    '--sparse',
    '--no-recursion',
    '--warning=no-file-ignored',
    '--null',
    '--verbatim-files-from',
    '--files-from=-',
  ];
  let names: Promise<void> = Promise.resolve();
  const result = await run(command, {
    stdin: 'pipe',
    stdout: output,
    onSpawn: ({ stdin }) => {
      if (stdin !== null) names = feed(namesOf(changes, deleted), stdin);
    },
  });
  if (!result.ok) failRun(result, 'archive the changes of the root file system');
  await names;
  return { deleted };
}

/** Names as tar reads them with --null: relative, each with a NUL byte at its end. */
async function* namesOf(changes: AsyncIterable<Change>, deleted: string[]): AsyncGenerator<Buffer> {
  // The owner and mode of / may have changed too, which a diff does not tell.
  yield Buffer.from('.\0');
  for await (const { kind, path, raw } of changes) {
    if (kind !== 'D') yield Buffer.concat([raw.subarray(1), Buffer.from([0])]);
    else if (Buffer.from(path).equals(raw)) deleted.push(path);
    else logWarning(`${path} was deleted, which the archive cannot tell: its name is no UTF-8`);
  }
}

async function feed(names: AsyncIterable<Buffer>, stdin: NodeJS.WritableStream): Promise<void> {
  try {
    await pipeline(Readable.from(names), stdin);
  } catch (error) {
    // tar ended early; its exit status tells the story.
    if (errnoOf(error) !== 'EPIPE' && errnoOf(error) !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}
