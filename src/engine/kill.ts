import { fail } from '../model/errors.ts';
import { openRuntime } from '../runtime/runtime.ts';
import { findContainer } from '../state/containers.ts';
import type { EngineContext } from './context.ts';
import { observe } from './observe.ts';

/**
 * Sends a signal to the container's first process. Takes no lock: a signal must get through while another command waits.
 * Errors: NO_SUCH_CONTAINER, CONTAINER_STATE.
 */
export async function killContainer(ctx: EngineContext, nameOrId: string, signal: number): Promise<string> {
  const container = observe(ctx, findContainer(ctx.db, nameOrId));
  const { config, state } = container;
  if (state.status !== 'running' && state.status !== 'paused') {
    fail('CONTAINER_STATE', {
      message: `can only kill running containers. ${config.id} is in state ${state.status}: container state improper`,
    });
  }
  await openRuntime(ctx.store, config.runtime, { cgroupManager: config.cgroupManager }).kill(
    config.id,
    signal,
  );
  return config.id;
}
