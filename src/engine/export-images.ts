import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MEMBER_DIRECTORY, PARENT_LINK } from '../archive/members.ts';
import type { ArchiveWriter } from '../archive/types.ts';
import { writeDelta } from '../criu/delta/write-delta.ts';
import type { Container } from '../model/container.ts';
import { faultPoint } from '../system/faults.ts';
import type { EngineContext } from './context.ts';
import { deltaBeside } from './delta-images.ts';
import type { Previous } from './previous.ts';

interface ImageTarget {
  readonly writer: ArchiveWriter;
  /** Existing, empty directory for CRIU's images. */
  readonly images: string;
  /** Lets CRIU dump; gives the runtime's microseconds. */
  readonly dump: () => Promise<number>;
}

/**
 * Lets CRIU dump a frozen container, and puts its images into the archive: the pages on their way, or, where what has
 * changed is told by content, after the whole dump has become a delta. Gives the runtime's microseconds. Errors:
 * CHECKPOINT_FAILED, those of the writer and of writeDelta.
 */
export async function writeImages(
  ctx: EngineContext,
  { config: { name } }: Container,
  { previous }: { readonly previous: Previous | undefined },
  { writer, images, dump }: ImageTarget,
): Promise<number> {
  if (previous !== undefined) await writer.addParentLink();
  if (previous === undefined || previous.tracked) {
    const duration = await writer.addPages(MEMBER_DIRECTORY.images, images, dump);
    await addFiles(writer, MEMBER_DIRECTORY.images, images);
    return duration;
  }
  const duration = await dump();
  const into = deltaBeside(images);
  await writeDelta({
    images,
    parent: previous.directory,
    into,
    link: PARENT_LINK.target,
    signal: ctx.signal,
    progress: (event) => ctx.progress({ ...event, subject: name }),
  });
  faultPoint('delta.exported');
  await addFiles(writer, MEMBER_DIRECTORY.images, into);
  return duration;
}

/** All files of a directory but for some, and for the link `parent`, which an archive has in its own form. */
export async function addFiles(
  writer: ArchiveWriter,
  prefix: string,
  directory: string,
  except: readonly string[] = [],
): Promise<void> {
  for (const name of (await readdir(directory)).sort()) {
    const path = join(directory, name);
    if (except.includes(name) || (await lstat(path)).isSymbolicLink()) continue;
    await writer.addFile(`${prefix}/${name}`, path);
  }
}

/** Removes what {@link writeImages} has made on the disk. Idempotent. */
export async function removeImages(images: string): Promise<void> {
  for (const path of [images, deltaBeside(images)]) await rm(path, { recursive: true, force: true });
}
