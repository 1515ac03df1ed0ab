import type { DeltaFigures } from './figures.ts';
import { type JobOptions, runJob } from './job.ts';
import { makeImages } from './new-directory.ts';

export interface WriteDeltaOptions extends JobOptions {
  /** Directory of the images; may itself build on others: content decides. */
  readonly images: string;
  /** Directory of the images to build on; may itself build on others. */
  readonly parent: string;
  /** Directory to make; it must not exist. Best on the file system of `images`, whose files it shares. */
  readonly into: string;
  /** Text of the symbolic link from `into` to `parent`, relative to where `into` will finally lie. */
  readonly link: string;
}

/**
 * Makes the directory `into` (0700): the images of `images` as a delta to `parent`. Pages whose content the parent, or one
 * of its own parents, has at the same address are marked to be taken from there (CRIU images/pagemap.proto, PE_PARENT); all
 * other files are hard-linked. Private memory (pagemap-PID.img) and shared memory (pagemap-shmem-ID.img) alike. `images`
 * stays as it is. What was written is synced before this returns. Both chains are checked before the first write. Fails
 * with IMAGE_INVALID, NO_SPACE or INTERRUPTED; `into` is removed then.
 */
export const writeDelta = ({
  images,
  parent,
  into,
  link,
  ...options
}: WriteDeltaOptions): Promise<DeltaFigures> =>
  makeImages(into, link, () => runJob({ verb: 'delta', images, parent, into }, 'compare', options));
