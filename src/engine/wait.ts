import { exitCodeOfRemoved, failNoContainer, lookupContainer } from '../state/containers.ts';
import { sleep } from '../system/clock.ts';
import type { EngineContext } from './context.ts';
import { observe } from './observe.ts';

/** Conditions of `wait --condition` that cryopod knows. */
export type WaitCondition = 'stopped' | 'exited' | 'running' | 'paused' | 'created';

/**
 * Waits until the container reaches the condition; gives its exit code, also when it was removed meanwhile.
 * Errors: NO_SUCH_CONTAINER.
 */
export async function waitContainer(
  ctx: EngineContext,
  nameOrId: string,
  condition: WaitCondition = 'stopped',
  intervalMs = 20,
): Promise<number> {
  const found = lookupContainer(ctx.db, nameOrId);
  // Asked in this order, a container that is removed meanwhile is seen by one of the two.
  if (found === undefined) return exitCodeOfRemoved(ctx.db, nameOrId) ?? failNoContainer(nameOrId);
  const { id } = found.config;
  const wanted = condition === 'stopped' ? 'exited' : condition;
  for (;;) {
    const recorded = lookupContainer(ctx.db, id);
    if (recorded === undefined) return exitCodeOfRemoved(ctx.db, id) ?? -1;
    const { state } = observe(ctx, recorded);
    if (state.status === wanted || (condition === 'stopped' && state.status === 'created'))
      return state.exitCode;
    ctx.signal.throwIfAborted();
    await sleep(intervalMs);
  }
}
