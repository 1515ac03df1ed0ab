import { withLock } from '../../state/locks.ts';
import type { EngineContext } from '../context.ts';

/**
 * Runs `work` while no other command adds or removes images: what an image needs is collected as garbage only between
 * such changes. Not re-entrant. Errors: BUSY.
 */
export const withImagesLock = <T>(
  ctx: EngineContext,
  operation: string,
  work: () => Promise<T>,
): Promise<T> => withLock(ctx.db, 'images', operation, work, ctx.lockTimeout);
