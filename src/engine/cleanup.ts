import type { Container } from '../model/container.ts';
import { isCryopodError } from '../model/errors.ts';
import type { EngineContext } from './context.ts';
import { recordedAsActive } from './observe.ts';
import { removeLocked } from './remove.ts';
import { withContainer } from './with-container.ts';

/**
 * What the monitor calls once its container has ended: settles it (withContainer does) and removes it when it was started
 * with --rm. Idempotent; a container that is gone, or runs again by now, is left alone.
 */
export async function cleanupContainer(ctx: EngineContext, id: string): Promise<void> {
  try {
    await withContainer(ctx, id, 'clean up', (container) => cleanUpEnded(ctx, container));
  } catch (error) {
    // The monitor and whoever waits in the foreground both clean up: one finds that the other has been there.
    if (!isCryopodError(error, 'NO_SUCH_CONTAINER')) throw error;
  }
}

/** The same for a settled container whose lock the caller holds. */
export async function cleanUpEnded(ctx: EngineContext, container: Container): Promise<void> {
  if (recordedAsActive(container) || container.state.checkpointed) return;
  if (container.config.autoRemove && container.state.status === 'exited') {
    await removeLocked(ctx, container, { volumes: true });
  }
}
