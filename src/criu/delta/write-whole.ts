import { existsSync } from 'node:fs';
import type { DeltaFigures } from './figures.ts';
import { type JobOptions, runJob } from './job.ts';
import { makeImages } from './new-directory.ts';

export interface WriteWholeOptions extends JobOptions {
  readonly images: string;
  /** Made (0700), or a directory that holds nothing but FIFOs named pages-N.img. */
  readonly into: string;
}

/**
 * Writes whole images from a chain into `into`. pages-N.img are written one after another, numbered from 1 in the order of
 * opening, and may be FIFOs that exist already, which are opened as their reader comes: then nothing but metadata touches
 * the disk. A directory that was there is neither synced nor removed after a failure. The chain is checked before the first
 * write. Fails with IMAGE_INVALID, NO_SPACE or INTERRUPTED, and with EPIPE where a reader goes.
 */
export function writeWhole({ images, into, ...options }: WriteWholeOptions): Promise<DeltaFigures> {
  const work = (): Promise<DeltaFigures> => runJob({ verb: 'whole', images, into }, 'join', options);
  return existsSync(into) ? work() : makeImages(into, undefined, work);
}
