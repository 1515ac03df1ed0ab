import { rm } from 'node:fs/promises';
import type { Container } from '../model/container.ts';
import { fail } from '../model/errors.ts';
import { createContainer as createInMonitor } from '../runtime/monitor.ts';
import { openRuntime } from '../runtime/runtime.ts';
import { updateState } from '../state/containers.ts';
import { beginOperation, endOperation } from '../state/journal.ts';
import { undoOnFailure } from '../system/cleanup.ts';
import { timestamp } from '../system/clock.ts';
import { faultPoint } from '../system/faults.ts';
import { bootId, processStat } from '../system/procfs.ts';
import { criuConfigPath } from './bundle-files.ts';
import type { EngineContext } from './context.ts';
import { exitCommand, giveEndBack } from './exit-command.ts';
import { forgetLinkRemaps } from './export-links.ts';
import { freeConnections } from './network/connections-file.ts';
import { recordedAsActive } from './observe.ts';
import { refuseInDoubt } from './plan/restore.ts';
import { forgetPreCheckpoints } from './pre-checkpoint-files.ts';
import { prepare } from './prepare.ts';
import { release } from './release.ts';
import { withContainer } from './with-container.ts';

export interface StartOptions {
  /** Called when the container exists but its command does not run yet: the moment to attach. */
  readonly beforeStart?: (container: Container) => Promise<void>;
}

/**
 * Starts a created or stopped container's command anew; a checkpoint that it may have is not used. A running container is
 * left as it is. Errors: COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, RUNTIME_FAILED, NETWORK_FAILED, PORT_IN_USE …; then
 * nothing of it runs.
 */
export async function startContainer(
  ctx: EngineContext,
  nameOrId: string,
  options: StartOptions = {},
): Promise<Container> {
  return await withContainer(ctx, nameOrId, 'start', (container) => startLocked(ctx, container, options));
}

/** {@link startContainer} for a caller that holds the lock. */
export async function startLocked(
  ctx: EngineContext,
  container: Container,
  { beforeStart }: StartOptions = {},
): Promise<Container> {
  if (container.state.status === 'paused') {
    fail('CONTAINER_STATE', {
      message: `unable to start container "${container.config.id}": container ${container.config.id} is paused: container state improper`,
      hint: 'Unpause it.',
    });
  }
  if (recordedAsActive(container)) return container;
  refuseInDoubt(container);
  const { id, runtime: name, cgroupManager } = container.config;
  const runtime = openRuntime(ctx.store, name, { cgroupManager });
  const entry = beginOperation(ctx.db, 'start', id);
  const started = await undoOnFailure(async (cleanup) => {
    cleanup.add('settle the journal', () => endOperation(ctx.db, entry));
    await forgetCheckpointHold(ctx, container);
    const { connected, reservation } = await prepare(ctx, container, cleanup, { hold: false });
    ctx.signal.throwIfAborted();
    cleanup.add(`delete ${id} from ${name}`, () => runtime.delete(id, { force: true }));
    await rm(criuConfigPath(ctx.store, id), { force: true });
    await giveEndBack(ctx, id);
    const creating = createInMonitor({
      store: ctx.store,
      runtime,
      config: container.config,
      exitCommand: exitCommand(ctx, id),
      inherit: reservation.fds,
      signal: ctx.signal,
    });
    const { pid, monitorPid } = await creating.catch(async (error: unknown) => {
      // A network that could not be connected takes its namespace with it, and is then the reason.
      await connected();
      throw error;
    });
    reservation.close();
    faultPoint('start.monitor-started');
    const holdings = await connected();
    const running = {
      ...holdings,
      status: 'running',
      error: undefined,
      pid,
      pidStart: processStat(pid)?.startTime ?? '',
      monitorPid,
      bootId: bootId(),
      startedAt: timestamp(),
      finishedAt: undefined,
      exitCode: 0,
      oomKilled: false,
      ...NO_CHECKPOINT,
    } as const;
    await beforeStart?.({ config: container.config, state: { ...container.state, ...running } });
    await runtime.start(id);
    ctx.signal.throwIfAborted();
    faultPoint('start.started');
    return updateState(ctx.db, id, running);
  });
  await forgetLinkRemaps(ctx, started);
  await forgetPreCheckpoints(ctx.store, started);
  endOperation(ctx.db, entry);
  return started;
}

/**
 * A fresh start clears what inspect tells about checkpoints; the images stay for a later restore, as in podman, unless files
 * that they need go (forgetLinkRemaps).
 */
const NO_CHECKPOINT = {
  checkpointed: false,
  checkpointedAt: undefined,
  checkpointPath: undefined,
  checkpointLog: undefined,
  exportPrevious: undefined,
  restored: false,
  restoredAt: undefined,
  restoreLog: undefined,
} as const;

/** The address that was kept for a restore is given back: its old connections have no one to answer them any more. */
async function forgetCheckpointHold(ctx: EngineContext, container: Container): Promise<void> {
  await freeConnections(ctx.store, container.config.id);
  if (!container.state.networkHeld) return;
  updateState(ctx.db, container.config.id, await release(ctx, container));
}
