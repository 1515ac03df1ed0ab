import type { Container } from '../model/container.ts';
import { fail } from '../model/errors.ts';
import { openRuntime } from '../runtime/runtime.ts';
import { waitFor } from '../system/clock.ts';
import type { EngineContext } from './context.ts';
import { processLives, recordedAsActive } from './observe.ts';
import { settleExit } from './settle.ts';
import { withContainer } from './with-container.ts';

const SIGKILL = 9;
/** Milliseconds that the kernel may need to end killed processes (it writes out core dumps, frees memory). */
const KILL_LIMIT_MS = 30_000;

/**
 * Stops a container: its stop signal, then KILL after `timeout` seconds (undefined: the container's own). A container
 * that does not run is left as it is. Errors: NO_SUCH_CONTAINER, CONTAINER_STATE for a paused one.
 */
export async function stopContainer(
  ctx: EngineContext,
  nameOrId: string,
  timeout: number | undefined,
): Promise<Container> {
  return await withContainer(ctx, nameOrId, 'stop', async (container) => {
    if (container.state.status === 'paused') {
      fail('CONTAINER_STATE', {
        message: `can only stop created or running containers. ${container.config.id} is in state paused: container state improper`,
        hint: `Unpause it first, or remove it with rm --force.`,
      });
    }
    return await stopLocked(ctx, container, timeout ?? container.config.stopTimeout);
  });
}

/** {@link stopContainer} for a caller that holds the lock; also ends paused containers. `timeout` in seconds. */
export async function stopLocked(
  ctx: EngineContext,
  container: Container,
  timeout: number,
): Promise<Container> {
  if (!recordedAsActive(container)) return container;
  const { config } = container;
  const runtime = openRuntime(ctx.store, config.runtime, { cgroupManager: config.cgroupManager });
  const ended = (): boolean => !processLives(container);
  if (timeout > 0 && container.state.status === 'running') {
    await runtime.kill(config.id, config.stopSignal);
    await waitFor(ended, timeout * 1000, ctx.signal);
  }
  if (!ended()) {
    await runtime.kill(config.id, SIGKILL, { all: true });
    // A frozen process acts on KILL only when it is thawed; some runtimes have done that by now.
    const paused =
      container.state.status === 'paused' && (await runtime.state(config.id))?.status === 'paused';
    if (paused) await runtime.resume(config.id);
    if ((await waitFor(ended, KILL_LIMIT_MS)) === undefined) {
      fail('RUNTIME_FAILED', {
        message: `could not end the processes of ${config.id}: they do not react to SIGKILL`,
      });
    }
  }
  return await settleExit(ctx, container);
}
