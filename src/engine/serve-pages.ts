import { closeSync, writeSync } from 'node:fs';
import { forgetLazyPages, lazyPagesCommand, lazyPagesLog, lazyPagesReady } from '../criu/lazy-pages.ts';
import { requireCriu } from '../criu/probe.ts';
import type { Container } from '../model/container.ts';
import { fail } from '../model/errors.ts';
import { openRuntime } from '../runtime/runtime.ts';
import { containerById, findContainer, updateState } from '../state/containers.ts';
import { beginOperation, endOperation } from '../state/journal.ts';
import { thisProcess } from '../state/owner.ts';
import { undoOnFailure } from '../system/cleanup.ts';
import { timestamp, waitFor } from '../system/clock.ts';
import { REPORT_FD } from '../system/daemon.ts';
import { faultPoint } from '../system/faults.ts';
import { type RunResult, run } from '../system/process.ts';
import { bundleDirectory, checkpointDirectory } from '../system/store-paths.ts';
import { holdMemory } from '../system/userfaultfd.ts';
import type { EngineContext } from './context.ts';
import { criuProbe } from './criu-probe.ts';
import { PAGES_READY } from './lazy-pages.ts';
import { processLives, recordedAsActive } from './observe.ts';
import { finishRestore } from './restore.ts';
import { settleExit } from './settle.ts';
import { withContainer } from './with-container.ts';

const SIGKILL = 9;
/** Milliseconds for CRIU's server to come up. */
const READY_LIMIT_MS = 10_000;

export interface ServeOptions {
  /** The checkpoint stays when all memory is in. */
  readonly keep: boolean;
}

/**
 * The watcher of a lazy restore, a process of its own: runs CRIU's server of pages and says so on REPORT_FD. When the last
 * page is in, the checkpoint has served. When the server fails, the container is stopped at once, before it could see a
 * page of zeros, and is as before the restore: its checkpoint is whole. Ended by a signal (the restore has failed), it
 * leaves nothing.
 */
export async function servePages(ctx: EngineContext, id: string, { keep }: ServeOptions): Promise<void> {
  findContainer(ctx.db, id);
  const work = bundleDirectory(ctx.store, id);
  const { path: criu } = requireCriu(await criuProbe(ctx));
  const entry = beginOperation(ctx.db, 'pages', id);
  faultPoint('pages.journalled');
  const { pid, pidStart } = thisProcess();
  updateState(ctx.db, id, { pages: { pid, pidStart } });
  const server = startServer(
    lazyPagesCommand({ criu, images: checkpointDirectory(ctx.store, id), work }),
    ctx,
  );
  const forget = async (): Promise<void> => {
    await forgetLazyPages(work);
    if (containerById(ctx.db, id) !== undefined) updateState(ctx.db, id, { pages: undefined });
    endOperation(ctx.db, entry);
  };
  await undoOnFailure(async (cleanup) => {
    cleanup.add('forget the server of pages', forget);
    await waitFor(() => lazyPagesReady(work) || server.hasEnded(), READY_LIMIT_MS);
    if (server.hasEnded()) fail('RESTORE_FAILED', { message: (await server.result).stderr.trim() });
  });
  report(PAGES_READY);
  const release = await holdMemory(server.pid(), server.hasEnded);
  const result = await server.result;
  // What fails here is left to recovery.
  if (!ctx.signal.aborted) await settlePages(ctx, id, keep, result.ok ? undefined : reasonOf(result, work));
  release();
  await forget();
}

interface Server {
  readonly pid: () => number;
  readonly hasEnded: () => boolean;
  readonly result: Promise<RunResult>;
}

function startServer(command: readonly string[], { signal }: EngineContext): Server {
  let pid = 0;
  let ended = false;
  const result = run(command, {
    signal,
    onSpawn: (child) => {
      pid = child.pid ?? 0;
    },
  }).finally(() => {
    ended = true;
  });
  return { pid: () => pid, hasEnded: () => ended, result };
}

/** Once: whoever started this process waits for the line. */
function report(line: string): void {
  writeSync(REPORT_FD, `${line}\n`);
  closeSync(REPORT_FD);
}

const reasonOf = ({ signal, code }: RunResult, work: string): string =>
  `CRIU's server of pages ended early (${signal ?? `exit status ${code}`}; ${lazyPagesLog(work)})`;

/** `failure`: why the server ended before the last page; undefined where it gave all. */
async function settlePages(
  ctx: EngineContext,
  id: string,
  keep: boolean,
  failure: string | undefined,
): Promise<void> {
  faultPoint('pages.in');
  if (containerById(ctx.db, id) === undefined) return;
  await withContainer(ctx, id, 'finish the restore', async (container) => {
    const isActive = recordedAsActive(container);
    if (failure !== undefined && isActive) return await giveUpLocked(ctx, container, failure);
    // A restore that failed has left it as it was.
    if (!isActive && container.state.checkpointed) return;
    // It has all its memory, or came to its end, and what was missing went with its processes.
    updateState(ctx.db, id, { pages: undefined });
    await finishRestore(ctx, container, { keep });
  });
}

/**
 * Not all memory of the container has come, and it will not: its processes end without running on, and its checkpoint
 * counts again. Also what recovery runs when the watcher died. The caller holds the lock. May be repeated.
 */
export async function giveUpLocked(ctx: EngineContext, container: Container, reason: string): Promise<void> {
  const { id } = container.config;
  // First, so that the monitor's own command does not take the end for an ordinary one.
  updateState(ctx.db, id, {
    checkpointed: true,
    checkpointedAt: timestamp(),
    checkpointPath: checkpointDirectory(ctx.store, id),
    error: `stopped since its memory could not be restored: ${reason}; its checkpoint is whole`,
  });
  faultPoint('pages.given-up');
  await killNow(ctx, container);
  if (recordedAsActive(container)) await settleExit(ctx, container);
}

async function killNow(ctx: EngineContext, container: Container): Promise<void> {
  if (!processLives(container)) return;
  const { id, runtime, cgroupManager } = container.config;
  await openRuntime(ctx.store, runtime, { cgroupManager }).kill(id, SIGKILL, { all: true });
  await waitFor(() => !processLives(container), READY_LIMIT_MS);
}
