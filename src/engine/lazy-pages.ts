import { forgetLazyPages } from '../criu/lazy-pages.ts';
import type { Container, ContainerConfig } from '../model/container.ts';
import { fail } from '../model/errors.ts';
import { openRuntime } from '../runtime/runtime.ts';
import type { OciRuntime } from '../runtime/types.ts';
import { containerById, findContainer, updateState } from '../state/containers.ts';
import { waitFor } from '../system/clock.ts';
import { startDaemon } from '../system/daemon.ts';
import { faultEnvironment } from '../system/faults.ts';
import { isAlive } from '../system/procfs.ts';
import { bundleDirectory } from '../system/store-paths.ts';
import { findProgram } from '../system/tools.ts';
import type { EngineContext } from './context.ts';
import { criuProbe } from './criu-probe.ts';
import { refuseObstacles } from './plan/preflight/finding.ts';
import { type LazyAbility, lazyFindings } from './plan/restore.ts';

/** Asks what a lazy restore with this runtime needs. */
export const lazyAbility = async (
  ctx: EngineContext,
  { name, lazyPages }: Pick<OciRuntime, 'name' | 'lazyPages'>,
): Promise<LazyAbility> => ({
  runtime: { name, able: lazyPages },
  criu: (await criuProbe(ctx))?.features.lazyPages === true,
});

/** Refuses a lazy restore of a container that cannot have one. Errors: RUNTIME_UNSUPPORTED, CRIU_MISSING. */
export async function requireLazy(
  ctx: EngineContext,
  { runtime, cgroupManager }: Pick<ContainerConfig, 'runtime' | 'cgroupManager'>,
): Promise<void> {
  const ability = await lazyAbility(ctx, openRuntime(ctx.store, runtime, { cgroupManager }));
  refuseObstacles(lazyFindings(ability));
}

/** What the watcher says once CRIU's server of pages waits for the restore. */
export const PAGES_READY = 'ready';

/** Milliseconds that a watcher may need to end its server. */
const END_LIMIT_MS = 10_000;

/**
 * Starts a process of cryopod's own that lets CRIU serve the memory of a container that is about to be restored, watches
 * over it and consumes the checkpoint when the last page is in (serve-pages.ts). It outlives this command. Errors:
 * RESTORE_FAILED.
 */
export async function startPages(
  ctx: EngineContext,
  { config: { id, name } }: Container,
  { keep }: { readonly keep: boolean },
): Promise<void> {
  await forgetLazyPages(bundleDirectory(ctx.store, id));
  const stores = ['--root', ctx.store.root, '--runroot', ctx.store.runroot];
  const verb = ['container', 'serve-pages', ...(keep ? ['--keep'] : []), id];
  const report = await startDaemon(
    [forkingProgram(), '--fork', ...ctx.self, ...stores, ...verb],
    faultEnvironment(),
  );
  if (report.line === PAGES_READY) return;
  fail('RESTORE_FAILED', {
    message: `could not serve the memory of ${name}: ${report.stderr.trim() || 'the server of pages ended'}`,
    hint: 'Restore it without --lazy.',
  });
}

const forkingProgram = (): string =>
  findProgram('setsid') ??
  fail('PROGRAM_MISSING', {
    message: 'could not restore lazily: the program setsid is not installed',
    hint: 'Install the package util-linux.',
  });

const watcherLives = ({ state: { pages } }: Container): boolean =>
  pages !== undefined && isAlive(pages.pid, pages.pidStart);

/** Ends the watcher and its server when the restore has failed: nobody will ask for pages. Idempotent. */
export async function stopPages(ctx: EngineContext, id: string): Promise<void> {
  const container = containerById(ctx.db, id);
  const pages = container?.state.pages;
  if (container === undefined || pages === undefined) return;
  if (watcherLives(container)) {
    process.kill(pages.pid, 'SIGTERM');
    const ended = await waitFor(() => !watcherLives(container), END_LIMIT_MS);
    if (ended === undefined) {
      fail('BUSY', { message: `process ${pages.pid}, which serves the memory of ${id}, does not end` });
    }
  }
  if (containerById(ctx.db, id) !== undefined) updateState(ctx.db, id, { pages: undefined });
}

/**
 * Waits until a container that was restored lazily has all its memory: before that, a dump would save pages of zeros.
 * Call it without the container's lock, which the watcher needs to finish. Errors: NO_SUCH_CONTAINER, INTERRUPTED.
 */
export async function untilPagesAreIn(ctx: EngineContext, nameOrId: string): Promise<void> {
  const { id } = findContainer(ctx.db, nameOrId).config;
  await waitFor(() => {
    ctx.signal.throwIfAborted();
    const container = containerById(ctx.db, id);
    return container === undefined || !watcherLives(container);
  }, ctx.lockTimeout);
}
