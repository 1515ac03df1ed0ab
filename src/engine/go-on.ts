import { join } from 'node:path';
import type { Container } from '../model/container.ts';
import { fail } from '../model/errors.ts';
import { clearCriuLock } from '../network/criu-lock.ts';
import { holdNetwork, releaseNetwork } from '../network/hold.ts';
import { endAbandoned } from '../runtime/cancel-dump.ts';
import { openRuntime } from '../runtime/runtime.ts';
import { waitFor } from '../system/clock.ts';
import { processesWorkingOn } from '../system/procfs.ts';
import { bundleDirectory, checkpointDirectory } from '../system/store-paths.ts';
import { endIsLogged } from './checkpoint-files.ts';
import type { EngineContext } from './context.ts';
import { removeCriuScratch } from './criu-scratch.ts';
import { giveEndBack } from './exit-command.ts';
import { freeConnections } from './network/connections-file.ts';
import { processLives } from './observe.ts';

/** The runtimes, and CRIU, also through the loader of a private copy. */
const WORKERS = /^(?:runc|crun|criu|ld-linux)/;
/** What makes and unmakes a network; the path of the namespace is in its arguments. */
export const NETWORKERS = /^(?:flock|netavark)/;
/** Milliseconds that a dump of much memory to a slow disk may need. */
const WORKERS_LIMIT_MS = 10 * 60_000;

/**
 * A command that was killed leaves the runtime and CRIU working: they finish what they have begun, and only then is it
 * clear how it ended. Taking the images away from under them could cost the container.
 */
export async function untilLeftAlone(
  bundle: string,
  signal?: AbortSignal,
  workers: RegExp = WORKERS,
): Promise<void> {
  const isLeft = (): boolean => {
    endAbandoned(bundle);
    return processesWorkingOn(bundle, workers).length === 0;
  };
  const left = await waitFor(isLeft, WORKERS_LIMIT_MS, signal);
  if (left === undefined) {
    const [first] = processesWorkingOn(bundle, workers);
    fail('BUSY', {
      message: `process ${first?.pid} (${first?.name}) of a crashed command still works on ${bundle}`,
    });
  }
}

/** The processes live: nothing may keep them frozen or their packets away. May be repeated. */
export async function goOnRunning(ctx: EngineContext, { config, state }: Container): Promise<void> {
  const bundle = bundleDirectory(ctx.store, config.id);
  await untilLeftAlone(bundle);
  await removeCriuScratch(bundle);
  await giveEndBack(ctx, config.id);
  const runtime = openRuntime(ctx.store, config.runtime, { cgroupManager: config.cgroupManager });
  // CRIU freezes them by their cgroup, and leaves them so where it is killed.
  if (state.status === 'running' && (await runtime.state(config.id))?.status === 'paused') {
    await runtime.resume(config.id);
  }
  await freeConnections(ctx.store, config.id);
  if (state.netns === undefined) return;
  // CRIU's own lock, too.
  await clearCriuLock(state.netns);
  await releaseNetwork(state.netns);
}

/** Milliseconds that the kernel may need to end processes with much memory. */
const END_LIMIT_MS = 10_000;

/**
 * After a dump that failed or was cut short: lets the processes go on, unless CRIU had saved all and ended them, or was
 * about to; then their packets stay held, and it is true.
 */
export async function hasEndedContainer(
  ctx: EngineContext,
  container: Container,
  images: string,
): Promise<boolean> {
  const { id } = container.config;
  const { netns } = container.state;
  await untilLeftAlone(bundleDirectory(ctx.store, id));
  const lived = processLives(container);
  if (lived) await goOnRunning(ctx, container);
  const log = join(bundleDirectory(ctx.store, id), 'dump.log');
  if (!(await endIsLogged(images, checkpointDirectory(ctx.store, id), log))) return false;
  // Killed while frozen, they have met their signal only now.
  const hasEnded = (await waitFor(() => !processLives(container), END_LIMIT_MS)) !== undefined;
  if (hasEnded && lived && netns !== undefined) await holdNetwork(netns);
  return hasEnded;
}
