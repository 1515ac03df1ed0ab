import { readFileSync } from 'node:fs';
import { lazyPagesLog, lazyPagesReady } from '../criu/lazy-pages.ts';
import type { Container, ProcessIdentity } from '../model/container.ts';
import { errnoOf, fail } from '../model/errors.ts';
import { openRuntime } from '../runtime/runtime.ts';
import { sleep, waitFor } from '../system/clock.ts';
import { run } from '../system/process.ts';
import { processStat } from '../system/procfs.ts';
import { holdMemory } from '../system/userfaultfd.ts';
import type { EngineContext } from './context.ts';
import { processLives } from './observe.ts';

const SIGKILL = 9;
/** Milliseconds for CRIU's server to come up on a busy host. */
const READY_LIMIT_MS = 30_000;
/** Milliseconds between looks: a container stands still meanwhile. */
const READY_PAUSE_MS = 2;
/** Milliseconds in which killed processes end. */
const KILL_LIMIT_MS = 10_000;

/** CRIU's server of pages, under the shell that notes how it ended (criu/lazy-pages.ts). */
export interface PagesServer {
  /** The shell. */
  readonly identity: ProcessIdentity;
  readonly hasEnded: () => boolean;
  readonly ended: Promise<unknown>;
}

/** `fds`: what the server gets as descriptors 3, 4 … */
export function startPagesServer(command: readonly string[], fds: readonly number[] = []): PagesServer {
  let identity = { pid: 0, pidStart: '' };
  let ended = false;
  const result = run(command, {
    newSession: true,
    extraFds: fds,
    onSpawn: ({ pid = 0 }) => {
      identity = { pid, pidStart: processStat(pid)?.startTime ?? '' };
    },
  }).finally(() => {
    ended = true;
  });
  return { identity, hasEnded: () => ended, ended: result };
}

/** Waits until the server waits for its restore. Errors: RESTORE_FAILED. */
export async function untilServing({ hasEnded }: PagesServer, work: string): Promise<void> {
  const end = performance.now() + READY_LIMIT_MS;
  while (!lazyPagesReady(work) && !hasEnded() && performance.now() < end) await sleep(READY_PAUSE_MS);
  if (hasEnded() || !lazyPagesReady(work)) {
    fail('RESTORE_FAILED', { message: `CRIU's server of pages did not come up (${lazyPagesLog(work)})` });
  }
}

/**
 * Holds the memory that the server is to provide (system/userfaultfd.ts) until it has ended; processes that touch what is
 * missing then wait until the returned function lets it go.
 */
export const holdServed = ({ identity, ended }: PagesServer): Promise<() => void> =>
  holdMemory(() => childrenOf(identity.pid), ended);

/** PIDs of a process's children (proc_pid_task(5)). */
function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return [];
    throw error;
  }
}

/** Ends a container's processes at once; with or without its lock. May be repeated. */
export async function killAll(ctx: EngineContext, container: Container): Promise<void> {
  if (!processLives(container)) return;
  const { id, runtime, cgroupManager } = container.config;
  await openRuntime(ctx.store, runtime, { cgroupManager }).kill(id, SIGKILL, { all: true });
  await waitFor(() => !processLives(container), KILL_LIMIT_MS);
}
