import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MEMBER_DIRECTORY } from '../../archive/members.ts';
import { type DigestOptions, writeDigests } from '../../system/digests.ts';
import { historyDirectory, type StorePaths } from '../../system/store-paths.ts';

/** Directory of a named checkpoint: the members of an archive, with trees where an archive has tars. */
export const entryDirectory = (store: StorePaths, id: string, name: string): string =>
  join(historyDirectory(store, id), name);

/** CRIU's images, a delta where there is a link `parent`. */
export const imagesOf = (entry: string): string => join(entry, MEMBER_DIRECTORY.images);

/** Changed files of the root file system, where an archive has rootfs-diff.tar. */
export const rootfsTree = (entry: string): string => join(entry, 'rootfs');

/** A directory for each volume, where an archive has NAME.tar. */
export const volumeTrees = (entry: string): string => join(entry, MEMBER_DIRECTORY.volumes);

/** List of digests: in an entry of all but the images, in its directory of images of those. */
export const DIGESTS = 'digests';

/** Where CRIU's link to the images of another entry of the same history leads, as seen from the images of one. */
export const parentLink = (name: string): string => join('..', '..', name, MEMBER_DIRECTORY.images);

/** Writes the list of all that is not CRIU's images. Errors: PROGRAM_FAILED. */
export const writeMemberDigests = (entry: string, options: DigestOptions = {}): Promise<void> =>
  writeDigests(entry, join(entry, DIGESTS), [`./${MEMBER_DIRECTORY.images}/*`, `./${DIGESTS}`], options);

/** Writes the list of CRIU's images anew, beside them: it goes where they go. Errors: PROGRAM_FAILED. */
export async function writeImageDigests(images: string, options: DigestOptions = {}): Promise<void> {
  await rm(join(images, DIGESTS), { force: true });
  await writeDigests(images, join(images, DIGESTS), [`./${DIGESTS}`], { ...options, plainNames: true });
}

/** The one digest of an entry, which its record holds: of its two lists. */
export async function digestOfEntry(entry: string): Promise<string> {
  const hash = createHash('sha256');
  for (const list of [join(entry, DIGESTS), join(imagesOf(entry), DIGESTS)])
    hash.update(await readFile(list));
  return hash.digest('hex');
}
