import { closeSync, writeSync } from 'node:fs';
import { forgetLazyPages, lazyPagesCommand, lazyPagesLog, lazyPagesWhole } from '../criu/lazy-pages.ts';
import { requireCriu } from '../criu/probe.ts';
import type { Container } from '../model/container.ts';
import { isCryopodError } from '../model/errors.ts';
import { containerById, findContainer, updateState } from '../state/containers.ts';
import { beginOperation, endOperation } from '../state/journal.ts';
import { thisProcess } from '../state/owner.ts';
import { undoOnFailure } from '../system/cleanup.ts';
import { timestamp } from '../system/clock.ts';
import { REPORT_FD } from '../system/daemon.ts';
import { faultPoint } from '../system/faults.ts';
import { bundleDirectory, checkpointDirectory } from '../system/store-paths.ts';
import type { EngineContext } from './context.ts';
import { criuProbe } from './criu-probe.ts';
import { endServer, PAGES_READY } from './lazy-pages.ts';
import { processLives, recordedAsActive } from './observe.ts';
import { holdServed, killAll, type PagesServer, startPagesServer, untilServing } from './pages-server.ts';
import { finishRestore } from './restore.ts';
import { settleExit } from './settle.ts';
import { withContainer } from './with-container.ts';

/** Milliseconds between tries to get the lock while it is watched that nothing runs on. */
const LOCK_TRY_MS = 500;

export interface ServeOptions {
  /** The checkpoint stays when all memory is in. */
  readonly keep: boolean;
}

/**
 * The watcher of a lazy restore, a process of its own: runs CRIU's server of pages and says so on REPORT_FD. When the last
 * page is in, the checkpoint has served. When the server fails, the container is stopped at once, before it could see a
 * page of zeros; its checkpoint is kept and counts again. Signals do not end it: they would let the container run on with
 * zeros. A watcher whose container is another one's by now leaves it alone.
 */
export async function servePages(ctx: EngineContext, id: string, { keep }: ServeOptions): Promise<void> {
  findContainer(ctx.db, id);
  const work = bundleDirectory(ctx.store, id);
  const { path: criu } = requireCriu(await criuProbe(ctx));
  const entry = beginOperation(ctx.db, 'pages', id, { keep });
  faultPoint('pages.journalled');
  const server = startPagesServer(
    lazyPagesCommand({ criu, images: checkpointDirectory(ctx.store, id), work }),
  );
  const watch: Watch = { ctx, id, keep, work, server };
  await undoOnFailure(async (cleanup) => {
    cleanup.add('forget the server of pages', () => forget(watch, entry));
    cleanup.add('end the server of pages', () => endServer(server.identity));
    updateState(ctx.db, id, { pages: { watcher: thisProcess(), server: server.identity } });
    await untilServing(server, work);
    report(PAGES_READY);
  });
  const release = await holdServed(server);
  // What fails here is left to recovery.
  if (lazyPagesWhole(work)) {
    // CRIU's own descriptors are closed: while copies are held, processes that fork or free memory would wait.
    release();
    faultPoint('pages.in');
    await settle(watch);
  } else {
    await stopAndSettle(watch);
    release();
  }
  await forget(watch, entry);
}

interface Watch extends ServeOptions {
  readonly ctx: EngineContext;
  readonly id: string;
  /** The restore's work directory. */
  readonly work: string;
  readonly server: PagesServer;
}

/** Once: whoever started this process waits for the line. */
function report(line: string): void {
  writeSync(REPORT_FD, `${line}\n`);
  closeSync(REPORT_FD);
}

/** The container, while it is the one that this process watches over. */
function watched({ ctx, id }: Watch): Container | undefined {
  const container = containerById(ctx.db, id);
  return container?.state.pages?.watcher.pid === process.pid ? container : undefined;
}

async function forget(watch: Watch, entry: number): Promise<void> {
  if (watched(watch) !== undefined) {
    updateState(watch.ctx.db, watch.id, { pages: undefined });
    await forgetLazyPages(watch.work);
  }
  endOperation(watch.ctx.db, entry);
}

/** Under the lock: the container has all its memory, or is stopped at its checkpoint. */
async function settle(watch: Watch): Promise<void> {
  const { ctx, id, keep } = watch;
  if (watched(watch) === undefined) return;
  await withContainer(ctx, id, 'finish the restore', async (container) => {
    // As recorded now: the lock may have been waited for.
    if (watched(watch) !== undefined) await settleUnwatched(ctx, container, { keep });
  });
}

/**
 * Not all memory has come. Whoever holds the lock meanwhile, such as the restore itself: what runs is killed, until the
 * lock is this process's and nothing can run any more.
 */
async function stopAndSettle(watch: Watch): Promise<void> {
  for (;;) {
    const container = watched(watch);
    if (container === undefined) return;
    if (recordedAsActive(container) && processLives(container)) await giveUp(watch.ctx, container);
    try {
      return await settle({ ...watch, ctx: { ...watch.ctx, lockTimeout: LOCK_TRY_MS } });
    } catch (error) {
      if (!isCryopodError(error, 'BUSY')) throw error;
    }
  }
}

/**
 * Not all memory of the container has come, and it will not: its processes end without running on, and its checkpoint
 * counts again. May be repeated; with or without the lock.
 */
async function giveUp(ctx: EngineContext, container: Container): Promise<void> {
  const { id } = container.config;
  const log = lazyPagesLog(bundleDirectory(ctx.store, id));
  try {
    // First, so that the monitor's own command does not take the end for an ordinary one.
    updateState(ctx.db, id, {
      checkpointed: true,
      checkpointedAt: timestamp(),
      checkpointPath: checkpointDirectory(ctx.store, id),
      error: `stopped since its memory could not be restored: CRIU's server of pages ended early (${log}); its checkpoint is kept`,
    });
    faultPoint('pages.given-up');
  } finally {
    await killAll(ctx, container);
  }
}

/**
 * What becomes of a lazy restore once its server has ended: the container has all its memory and its checkpoint has served,
 * also where it came to its own end meanwhile; or it goes back to its checkpoint. Also what recovery runs when the watcher
 * has died. The caller holds the lock.
 */
export async function settleUnwatched(
  ctx: EngineContext,
  container: Container,
  { keep }: ServeOptions,
): Promise<void> {
  const { id } = container.config;
  const work = bundleDirectory(ctx.store, id);
  const isWhole = lazyPagesWhole(work);
  if (recordedAsActive(container) && !isWhole) {
    await giveUp(ctx, container);
    await settleExit(ctx, container);
  }
  const settled = updateState(ctx.db, id, { pages: undefined });
  if (isWhole) await forgetLazyPages(work);
  // One that is stopped at its checkpoint has been given up, or its restore has failed.
  if (!settled.state.checkpointed) await finishRestore(ctx, settled, { keep });
}
