import type { Container } from '../model/container.ts';
import type { EngineContext } from './context.ts';
import { startLocked } from './start.ts';
import { stopLocked } from './stop.ts';
import { withContainer } from './with-container.ts';

/** Stops (if it runs) and starts a container. `timeout` in seconds, undefined for the container's own. */
export async function restartContainer(
  ctx: EngineContext,
  nameOrId: string,
  timeout: number | undefined,
): Promise<Container> {
  return await withContainer(ctx, nameOrId, 'restart', async (container) =>
    startLocked(ctx, await stopLocked(ctx, container, timeout ?? container.config.stopTimeout)),
  );
}
