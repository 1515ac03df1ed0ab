import { rm } from 'node:fs/promises';
import { writeDelta } from '../criu/delta/write-delta.ts';
import { errnoOf, isCryopodError, messageOf } from '../model/errors.ts';
import type { Progress } from '../model/progress.ts';
import { faultPoint } from '../system/faults.ts';
import { logInfo, logWarning } from '../system/log.ts';

/** What images become a delta to. */
export interface DeltaParent {
  /** Directory of the images that they build on. */
  readonly directory: string;
  /** The same as seen from where the delta will lie. */
  readonly link: string;
}

/** Where the delta of images is made: a temporary name too, which recovery knows from that of the images. */
export const deltaBeside = (images: string): string => `${images}-delta`;

/**
 * Makes a delta of whole images in a directory beside them. They may be all that is left of processes, and stay as they are:
 * the caller removes them once the delta has its final name. Where it cannot be made, they do instead. Gives the directory
 * to publish, which is synced if it is the delta. May be repeated after a crash.
 */
export async function makeDelta(
  images: string,
  { directory, link }: DeltaParent,
  progress?: Progress,
): Promise<string> {
  const into = deltaBeside(images);
  await rm(into, { recursive: true, force: true });
  try {
    const { ownPages, parentPages } = await writeDelta({ images, parent: directory, into, link, progress });
    logInfo(`of ${ownPages + parentPages} pages, ${ownPages} have changed`);
  } catch (error) {
    if (errnoOf(error) === undefined && (!isCryopodError(error) || error.code === 'INTERNAL')) throw error;
    await rm(into, { recursive: true, force: true });
    logWarning(`the checkpoint stays whole, since it could not be compared: ${messageOf(error)}`);
    return images;
  }
  faultPoint('delta.made');
  return into;
}
