import { fail, isCryopodError } from '../../model/errors.ts';
import { beginOperation, endOperation } from '../../state/journal.ts';
import { withLock } from '../../state/locks.ts';
import type { EngineContext } from '../context.ts';

/** Journal entry of commands that bring files into the image store or read them. */
export const IMAGE_WORK = 'transfer';

/**
 * Runs `work` while no other command removes images or collects their files. Not re-entrant. Errors: BUSY.
 */
export const withImagesLock = <T>(
  ctx: EngineContext,
  operation: string,
  work: () => Promise<T>,
): Promise<T> => withLock(ctx.db, 'images', operation, work, ctx.lockTimeout);

/**
 * Runs `work`, which may take long and may run beside others of its kind: until its end no file of the image store is
 * collected as unused. `subject` names the image or file. Errors: BUSY while files are being collected,
 * INTERRUPTED.
 */
export async function whileImageFilesStay<T>(
  ctx: EngineContext,
  subject: string,
  work: () => Promise<T>,
): Promise<T> {
  const entry = await withImagesLock(ctx, 'begin', async () => beginOperation(ctx.db, IMAGE_WORK, subject));
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
