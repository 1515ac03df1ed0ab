import { forgetLazyPages } from '../criu/lazy-pages.ts';
import type { Container, ContainerConfig, ProcessIdentity } from '../model/container.ts';
import { fail } from '../model/errors.ts';
import { openRuntime } from '../runtime/runtime.ts';
import type { OciRuntime } from '../runtime/types.ts';
import { containerById, findContainer, updateState } from '../state/containers.ts';
import { waitFor } from '../system/clock.ts';
import { startDaemon } from '../system/daemon.ts';
import { faultEnvironment } from '../system/faults.ts';
import { signalIfThere } from '../system/process.ts';
import { isAlive, processTree } from '../system/procfs.ts';
import { bundleDirectory } from '../system/store-paths.ts';
import { findProgram } from '../system/tools.ts';
import { canHoldMemory } from '../system/userfaultfd.ts';
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
  criu: (await criuProbe(ctx))?.features.lazyPages === true && (await canHoldMemory()),
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

const lives = ({ pid, pidStart }: ProcessIdentity): boolean => isAlive(pid, pidStart);

/**
 * Ends the server of a restore that has failed, whether its watcher lives or not: nobody will ask for pages. Call it when
 * none of the container's processes is left, which would read zeros. Idempotent.
 */
export function stopPages(ctx: EngineContext, id: string): void {
  const pages = containerById(ctx.db, id)?.state.pages;
  if (pages === undefined) return;
  endServer(pages.server);
  // The watcher sees that the container is not its own any more.
  updateState(ctx.db, id, { pages: undefined });
}

/** The server and the shell that notes how it ended (criu/lazy-pages.ts). */
export function endServer(server: ProcessIdentity): void {
  if (!lives(server)) return;
  for (const { pid } of processTree(server.pid).toReversed()) signalIfThere(pid, 'SIGKILL');
}

/**
 * Waits until a container that was restored lazily has all its memory: before that, a dump would save pages of zeros.
 * Call it without the container's lock, which the watcher needs to finish. Errors: NO_SUCH_CONTAINER, INTERRUPTED.
 */
export async function untilPagesAreIn(ctx: EngineContext, nameOrId: string): Promise<void> {
  const { id } = findContainer(ctx.db, nameOrId).config;
  await waitFor(() => {
    ctx.signal.throwIfAborted();
    const pages = containerById(ctx.db, id)?.state.pages;
    return pages === undefined || !lives(pages.watcher);
  }, ctx.lockTimeout);
}
