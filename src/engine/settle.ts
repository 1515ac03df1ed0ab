import type { Container, ContainerState } from '../model/container.ts';
import { forgetExit, readExit } from '../runtime/monitor.ts';
import { openRuntime } from '../runtime/runtime.ts';
import { updateState } from '../state/containers.ts';
import { timestamp, waitFor } from '../system/clock.ts';
import { bootId } from '../system/procfs.ts';
import type { EngineContext } from './context.ts';
import { isMonitored } from './observe.ts';
import { forgetPreCheckpoints } from './pre-checkpoint-files.ts';
import { release } from './release.ts';

/** Milliseconds that the monitor may need to write down how its container ended. */
const EXIT_RECORD_LIMIT_MS = 5000;

export interface SettleOptions {
  /** The address stays with the container and drops packets: between a checkpoint and its restore. */
  readonly keepNetwork?: boolean;
  /** More to record in the same transaction. */
  readonly record?: Partial<ContainerState>;
}

/**
 * Brings a container whose processes have ended to rest: the runtime's record, mounts and network go, then the record
 * says `exited` with the exit code. Idempotent; the caller holds the container's lock.
 */
export async function settleExit(
  ctx: EngineContext,
  container: Container,
  { keepNetwork = false, record = {} }: SettleOptions = {},
): Promise<Container> {
  const { config, state } = container;
  if (state.bootId === bootId()) {
    const isWritten = (): boolean => readExit(ctx.store, config.id) !== undefined;
    await waitFor(() => isWritten() || !isMonitored(container), EXIT_RECORD_LIMIT_MS);
  }
  const exit = readExit(ctx.store, config.id);
  await openRuntime(ctx.store, config.runtime, { cgroupManager: config.cgroupManager }).delete(config.id, {
    force: true,
  });
  const released = await release(ctx, container, { keepNetwork });
  const settled = updateState(ctx.db, config.id, {
    ...released,
    status: 'exited',
    pid: 0,
    pidStart: '',
    monitorPid: 0,
    exitCode: exit?.code ?? -1,
    finishedAt: timestamp(exit === undefined ? new Date() : new Date(exit.finishedAt)),
    restored: false,
    ...record,
  });
  await forgetPreCheckpoints(ctx.store, settled);
  forgetExit(ctx.store, config.id);
  return settled;
}
