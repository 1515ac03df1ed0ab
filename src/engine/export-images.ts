import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MEMBER_DIRECTORY } from '../archive/members.ts';
import type { ArchiveWriter } from '../archive/types.ts';
import { receivePages } from '../archive/writer-pages.ts';
import { type StreamedDelta, streamDelta } from '../criu/delta/stream-delta.ts';
import type { Container } from '../model/container.ts';
import { faultPoint } from '../system/faults.ts';
import { logInfo } from '../system/log.ts';
import type { EngineContext } from './context.ts';
import { deltaBeside } from './delta-images.ts';
import type { Previous } from './previous.ts';

interface ImageTarget {
  readonly writer: ArchiveWriter;
  /** Existing, empty directory for CRIU's images. */
  readonly images: string;
  /** Lets CRIU dump; gives the runtime's microseconds. */
  readonly dump: () => Promise<number>;
  /** From {@link openComparison}. */
  readonly comparison?: StreamedDelta | undefined;
}

/**
 * Makes ready for telling by content what has changed since a pre-checkpoint, before the container is frozen; undefined where
 * CRIU tells it. `into`: directory to make, beside the images to come. The caller discards it. Errors: those of streamDelta.
 */
export async function openComparison(
  ctx: EngineContext,
  { config: { name }, state: { pid } }: Container,
  previous: Previous | undefined,
  into: string,
): Promise<StreamedDelta | undefined> {
  if (previous === undefined || previous.tracked) return undefined;
  return await streamDelta({
    parent: previous.directory,
    into,
    root: pid,
    signal: ctx.signal,
    progress: (event) => ctx.progress({ ...event, subject: name }),
  });
}

/**
 * Lets CRIU dump a frozen container, and puts its images into the archive: the pages on their way, or, where what has
 * changed is told by content, those of them that differ from the pre-checkpoint's. Gives the runtime's microseconds. Errors:
 * CHECKPOINT_FAILED, those of the writer and of streamDelta.
 */
export async function writeImages(
  { previous }: { readonly previous: Previous | undefined },
  { writer, images, dump, comparison }: ImageTarget,
): Promise<number> {
  if (previous !== undefined) await writer.addParentLink();
  if (comparison === undefined) {
    const duration = await writer.addPages(MEMBER_DIRECTORY.images, images, dump);
    await addFiles(writer, MEMBER_DIRECTORY.images, images);
    return duration;
  }
  const duration = await receivePages(images, dump, (name, fd) => comparison.take(images, name, fd));
  const { ownPages, parentPages } = await comparison.finish(images);
  logInfo(`of ${ownPages + parentPages} pages, ${ownPages} have changed`);
  faultPoint('delta.exported');
  await addFiles(writer, MEMBER_DIRECTORY.images, comparison.into);
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
