import { fail } from '../model/errors.ts';
import { openRuntime } from '../runtime/runtime.ts';
import { updateState } from '../state/containers.ts';
import type { EngineContext } from './context.ts';
import { withContainer } from './with-container.ts';

/** Lets a paused container's processes go on. Errors: CONTAINER_STATE. */
export async function unpauseContainer(ctx: EngineContext, nameOrId: string): Promise<string> {
  return await withContainer(ctx, nameOrId, 'unpause', async ({ config, state }) => {
    if (state.status !== 'paused') {
      fail('CONTAINER_STATE', {
        message: `"${config.id}" is not paused, can't unpause: container state improper`,
      });
    }
    await openRuntime(ctx.store, config.runtime, { cgroupManager: config.cgroupManager }).resume(config.id);
    updateState(ctx.db, config.id, { status: 'running' });
    return config.id;
  });
}
