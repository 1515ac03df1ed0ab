import { chainOf } from './chain.ts';
import { loadLevels, pageMapNames } from './levels.ts';

/**
 * Checks a checkpoint and all that it builds on without reading pages: every pages file is as long as its page map says
 * (CRIU, up to 4.2 at least, reads a shorter one in an endless loop, filling the disk with its log), every range that is
 * said to be in the parent is there, and the chain ends. Fails with IMAGE_INVALID, naming the file.
 */
export async function checkPageFiles(directory: string): Promise<void> {
  const chain = await chainOf(directory);
  for (const name of await pageMapNames(directory)) await loadLevels([chain], name);
}
