import type { Container } from '../model/container.ts';
import { fail } from '../model/errors.ts';
import { readExit } from '../runtime/monitor.ts';
import { timestamp } from '../system/clock.ts';
import { bootId, isAlive, processStat } from '../system/procfs.ts';
import type { EngineContext } from './context.ts';

/** True while the container's first process lives. */
export const processLives = ({ state }: Container): boolean =>
  state.bootId === bootId() && isAlive(state.pid, state.pidStart);

/** The monitor lives and has still to write how the container ended. A reused PID would only delay the answer. */
export function isMonitored({ state }: Container): boolean {
  const monitor = processStat(state.monitorPid);
  return monitor?.name === 'conmon' && monitor.state !== 'Z';
}

/** The record says that it runs or is paused (it may have ended since; see {@link observe}). */
export const recordedAsActive = ({ state }: Container): boolean =>
  state.status === 'running' || state.status === 'paused';

/**
 * The container as it is at this moment: a record that says running is corrected when its process has ended, been killed,
 * or was lost with the last boot. Writes nothing; `settleExit` makes it permanent.
 */
export function observe(ctx: EngineContext, container: Container): Container {
  if (!recordedAsActive(container) || processLives(container)) return container;
  const sameBoot = container.state.bootId === bootId();
  const exit = sameBoot ? readExit(ctx.store, container.config.id) : undefined;
  // A process is gone a moment before its monitor has written down how it ended: until then it counts as running.
  if (sameBoot && exit === undefined && isMonitored(container)) return container;
  return {
    config: container.config,
    state: {
      ...container.state,
      status: 'exited',
      pid: 0,
      exitCode: exit?.code ?? container.state.exitCode,
      finishedAt: exit === undefined ? container.state.finishedAt : timestamp(new Date(exit.finishedAt)),
    },
  };
}

/** Refuses with podman's words unless the container runs. `verb` completes "cannot …". */
export function requireRunning(container: Container, verb: string): void {
  const { status } = container.state;
  if (status === 'running') return;
  fail('CONTAINER_STATE', { message: `"${status}" is not running, ${verb}: container state improper` });
}
