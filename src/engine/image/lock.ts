import { fail, isCryopodError } from '../../model/errors.ts';
import { beginOperation, endOperation } from '../../state/journal.ts';
import { withLock } from '../../state/locks.ts';
import { undoOnFailure } from '../../system/cleanup.ts';
import type { EngineContext } from '../context.ts';
import { uninterrupted } from '../interruption.ts';
import { collectUnusedFiles, IMAGE_WORK } from './collect.ts';

/**
 * Runs `work` while no other command removes images or collects their files. Not re-entrant. Errors: BUSY.
 */
export const withImagesLock = <T>(
  ctx: EngineContext,
  operation: string,
  work: () => Promise<T>,
): Promise<T> => withLock(ctx.db, 'images', operation, work, ctx.lockTimeout, ctx.signal);

/**
 * Runs `work`, which brings an image; when it fails, what it has put into the store is collected, with all else that is
 * unused.
 */
export async function collectAfterFailure<T>(ctx: EngineContext, work: () => Promise<T>): Promise<T> {
  return await undoOnFailure(async (cleanup) => {
    const calm = uninterrupted(ctx);
    cleanup.add('collect unused files', () =>
      withImagesLock(calm, 'clean up', () => collectUnusedFiles(calm)),
    );
    return await work();
  });
}

/**
 * Runs `work`, which may take long and may run beside others of its kind: until its end no file of the image store is
 * collected as unused. `subject` names the image or file. Errors: BUSY while files are being collected,
 * INTERRUPTED.
 */
export const whileImageFilesStay = <T>(
  ctx: EngineContext,
  subject: string,
  work: () => Promise<T>,
): Promise<T> => asImageWork(ctx, subject, {}, work);

/**
 * The same for an image that somebody else sends: where it does not come whole, nothing of it stays, not even when this
 * process dies (`data.collect` is for recovery).
 */
export const whileImageComes = <T>(ctx: EngineContext, id: string, work: () => Promise<T>): Promise<T> =>
  collectAfterFailure(ctx, () => asImageWork(ctx, id, { collect: true }, work));

async function asImageWork<T>(
  ctx: EngineContext,
  subject: string,
  data: Readonly<Record<string, unknown>>,
  work: () => Promise<T>,
): Promise<T> {
  const begin = async (): Promise<number> => beginOperation(ctx.db, IMAGE_WORK, subject, data);
  const entry = await withImagesLock(ctx, 'begin', begin);
  try {
    return await work();
  } catch (error) {
    // Programs that were ended because of the interruption report failures that are none.
    if (ctx.signal.aborted && !isCryopodError(error, 'INTERRUPTED')) {
      fail('INTERRUPTED', { message: `interrupted: nothing was done about ${subject}`, cause: error });
    }
    throw error;
  } finally {
    endOperation(ctx.db, entry);
  }
}
