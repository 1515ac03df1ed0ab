import { withLock } from '../../state/locks.ts';
import type { EngineContext } from '../context.ts';

/** Runs `work` while no other command makes or removes networks. Not re-entrant. Errors: BUSY. */
export const withNetworksLock = <T>(
  ctx: EngineContext,
  operation: string,
  work: () => Promise<T>,
): Promise<T> => withLock(ctx.db, 'networks', operation, work, ctx.lockTimeout, ctx.signal);
