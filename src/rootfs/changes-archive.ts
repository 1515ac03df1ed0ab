import { logWarning } from '../system/log.ts';
import { failRun } from '../system/process.ts';
import type { Change } from './diff.ts';
import { tarNames } from './tar.ts';

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
  const result = await tarNames(rootfs, namesOf(changes, deleted), output);
  if (!result.ok) failRun(result, 'archive the changes of the root file system');
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
