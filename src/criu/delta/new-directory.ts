import { mkdir, rm, symlink } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { CryopodError, errnoOf, fail, messageOf } from '../../model/errors.ts';
import { undoOnFailure } from '../../system/cleanup.ts';
import { syncTree } from '../../system/durable.ts';
import { PARENT_LINK } from './chain.ts';

/**
 * Makes the directory `into` (0700), lets `fill` write images into it, links it to its parent and syncs all of it. It is
 * removed when anything fails. Fails as `fill` does, and with NO_SPACE.
 */
export async function makeImages<T>(
  into: string,
  link: string | undefined,
  fill: () => Promise<T>,
): Promise<T> {
  if (link !== undefined && isAbsolute(link)) {
    fail('INTERNAL', { message: `the link to a parent must be relative: ${link}` });
  }
  try {
    return await undoOnFailure(async (cleanup) => {
      await mkdir(into, { mode: 0o700 });
      cleanup.add(`remove ${into}`, () => rm(into, { recursive: true, force: true }));
      const result = await fill();
      if (link !== undefined) await symlink(link, join(into, PARENT_LINK));
      await syncTree(into);
      return result;
    });
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== 'ENOSPC' && errno !== 'EDQUOT') throw error;
    throw new CryopodError('NO_SPACE', {
      message: `could not write ${into}: ${messageOf(error)}`,
      cause: error,
    });
  }
}
