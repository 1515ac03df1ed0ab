import { withLock } from '../../state/locks.ts';
import type { EngineContext } from '../context.ts';

/** Runs `work` while no other command makes or removes volumes. Not re-entrant. Errors: BUSY. */
export const withVolumesLock = <T>(
  ctx: EngineContext,
  operation: string,
  work: () => Promise<T>,
): Promise<T> => withLock(ctx.db, 'volumes', operation, work, ctx.lockTimeout, ctx.signal);
