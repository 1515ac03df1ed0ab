import { openRuntime } from '../runtime/runtime.ts';
import { updateState } from '../state/containers.ts';
import type { EngineContext } from './context.ts';
import { requireRunning } from './observe.ts';
import { withContainer } from './with-container.ts';

/** Freezes the container's processes in place. Errors: CONTAINER_STATE. */
export async function pauseContainer(ctx: EngineContext, nameOrId: string): Promise<string> {
  return await withContainer(ctx, nameOrId, 'pause', async (container) => {
    requireRunning(container, "can't pause");
    const { id, runtime, cgroupManager } = container.config;
    await openRuntime(ctx.store, runtime, { cgroupManager }).pause(id);
    updateState(ctx.db, id, { status: 'paused' });
    return id;
  });
}
