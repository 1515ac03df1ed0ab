import { fail } from '../../model/errors.ts';
import { chainOf } from './chain.ts';
import type { DeltaFigures } from './figures.ts';
import { type JobOptions, runJob } from './job.ts';
import { makeImages } from './new-directory.ts';

export interface AbsorbParentOptions extends JobOptions {
  readonly images: string;
  /** Directory to make; it must not exist. */
  readonly into: string;
  /** Text of the link from where `into` will finally lie to the parent's parent; needed if there is one. */
  readonly link?: string | undefined;
}

/**
 * Makes the directory `into` (0700): the images of `images` with the pages that they take from their direct parent taken in,
 * so that the parent can go. What the parent itself takes from its parent stays there, and `into` is linked to that one;
 * without it the result is whole. `images` and its parent stay as they are. What was written is synced before this returns.
 * Fails with IMAGE_INVALID, NO_SPACE or INTERRUPTED; `into` is removed then.
 */
export async function absorbParent({
  images,
  into,
  link,
  ...options
}: AbsorbParentOptions): Promise<DeltaFigures> {
  const needsLink = (await chainOf(images)).length > 2;
  if (needsLink && link === undefined) {
    fail('INTERNAL', { message: `${into} needs a link: the parent of ${images} has a parent` });
  }
  const text = needsLink ? link : undefined;
  return makeImages(into, text, () => runJob({ verb: 'absorb', images, into }, 'join', options));
}
