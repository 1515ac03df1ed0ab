import { readlink, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { errnoOf, fail } from '../../model/errors.ts';

/** Checkpoints that build on one another; more is an attack, or a loop. */
export const MAX_LEVELS = 64;

/** CRIU criu/include/image.h CR_PARENT_LINK */
export const PARENT_LINK = 'parent';

/**
 * The directory of images that those in `directory` build on, by its link `parent` (CRIU criu/image.c open_parent);
 * undefined for whole images. Fails with IMAGE_INVALID where the link leads nowhere or is absolute: images may be moved
 * together, and those of an archive must not point into the host.
 */
export async function parentOf(directory: string): Promise<string | undefined> {
  const text = await linkText(directory);
  if (text === undefined) return undefined;
  const link = join(directory, PARENT_LINK);
  if (isAbsolute(text)) {
    fail('IMAGE_INVALID', { message: `${link} leads to ${text}: the link to a parent must be relative` });
  }
  try {
    const parent = await realpath(link);
    if ((await stat(parent)).isDirectory()) return parent;
  } catch (error) {
    const errno = errnoOf(error) ?? '';
    if (!['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errno)) throw error;
  }
  return fail('IMAGE_INVALID', {
    message: `the checkpoint in ${directory} builds on another one, ${text}, which is not there`,
    hint: 'A checkpoint that was made with --with-previous needs its pre-checkpoint beside it.',
  });
}

async function linkText(directory: string): Promise<string | undefined> {
  const link = join(directory, PARENT_LINK);
  try {
    return await readlink(link);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    if (errnoOf(error) !== 'EINVAL') throw error;
    return fail('IMAGE_INVALID', { message: `${link} is not a symbolic link` });
  }
}

/** `directory` and all that it builds on, in this order. Fails with IMAGE_INVALID for a circle or a missing one. */
export async function chainOf(directory: string): Promise<string[]> {
  const chain: string[] = [];
  const seen = new Set<string>();
  for (let at: string | undefined = directory; at !== undefined; at = await parentOf(at)) {
    const place = await realpath(at);
    if (seen.has(place) || chain.length >= MAX_LEVELS) {
      fail('IMAGE_INVALID', {
        message: `the checkpoint in ${directory} builds on ${seen.has(place) ? 'itself' : `more than ${MAX_LEVELS} others`}`,
      });
    }
    seen.add(place);
    chain.push(at);
  }
  return chain;
}
