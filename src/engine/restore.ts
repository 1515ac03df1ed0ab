import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { checkPageFiles } from '../criu/delta/check-page-files.ts';
import { writeCriuConfig } from '../criu/options.ts';
import { requireCriu } from '../criu/probe.ts';
import { type RestoreStats, restoreStatsIfAny } from '../criu/stats.ts';
import type { Container, ContainerConfig } from '../model/container.ts';
import { readyRelease } from '../network/hold.ts';
import { loadShm } from '../rootfs/shm-archive.ts';
import { restoreContainer as restoreInMonitor } from '../runtime/monitor.ts';
import { openRuntime } from '../runtime/runtime.ts';
import { hostFacts } from '../runtime/spec/host.ts';
import { cgroupPath } from '../runtime/spec/resources.ts';
import { containerById, replaceContainer, updateState } from '../state/containers.ts';
import { beginOperation, endOperation } from '../state/journal.ts';
import { undoOnFailure } from '../system/cleanup.ts';
import { monotonicMicroseconds, timestamp } from '../system/clock.ts';
import { faultPoint } from '../system/faults.ts';
import { removeLetGo } from '../system/let-go.ts';
import { bootId, processStat } from '../system/procfs.ts';
import { bundleDirectory, checkpointDirectory } from '../system/store-paths.ts';
import { criuConfigPath, dumpLogPath, restoreLogPath, shmArchivePath } from './bundle-files.ts';
import { holdsImages } from './checkpoint-files.ts';
import type { EngineContext } from './context.ts';
import { criuProbe } from './criu-probe.ts';
import { removeCriuScratch } from './criu-scratch.ts';
import { endStrays } from './end-strays.ts';
import { exitCommand, giveEndBack } from './exit-command.ts';
import { explainRestoreFailure } from './explain.ts';
import { untilLeftAlone } from './go-on.ts';
import { fetchExported } from './import-archive.ts';
import { interruptedOr } from './interruption.ts';
import { lazyAbility, startPages, stopPages, untilPagesAreIn } from './lazy-pages.ts';
import { freeConnections } from './network/connections-file.ts';
import { recordedAsActive } from './observe.ts';
import { type RestoreOptions, refuseRestore, withoutIgnoredAddresses } from './plan/restore.ts';
import { forgetPreCheckpoints } from './pre-checkpoint-files.ts';
import { prepare } from './prepare.ts';
import { refuseLinkedRemaps } from './remapped-files.ts';
import { withContainer } from './with-container.ts';

export interface RestoreResult {
  /** The name or ID that the user gave. */
  readonly input: string;
  readonly id: string;
  /** Microseconds. */
  readonly duration: number;
  readonly runtimeDuration: number;
  readonly statistics: RestoreStats;
}

/**
 * Thaws a container from its checkpoint directory; its processes go on where they were frozen. The checkpoint is consumed
 * only once they run, and kept with `keep`. Errors: CONTAINER_STATE, RESTORE_REFUSED before anything is touched;
 * RESTORE_FAILED, and the container is as before: stopped, its checkpoint whole, its address kept.
 */
export async function restoreContainer(
  ctx: EngineContext,
  nameOrId: string,
  options: RestoreOptions,
): Promise<RestoreResult> {
  const begun = monotonicMicroseconds();
  await untilPagesAreIn(ctx, nameOrId);
  return await withContainer(ctx, nameOrId, 'restore', async (container) => {
    const { id, runtime: name, cgroupManager } = container.config;
    const runtime = openRuntime(ctx.store, name, { cgroupManager });
    if (!recordedAsActive(container)) await fetchExported(ctx, container);
    refuseRestore(container, options, {
      isRoot: process.geteuid?.() === 0,
      complete: holdsImages(checkpointDirectory(ctx.store, id)),
      runtime: await runtime.canCheckpoint(),
      lazy: options.lazy === true ? await lazyAbility(ctx, runtime) : undefined,
    });
    requireCriu(await criuProbe(ctx));
    await checkPageFiles(checkpointDirectory(ctx.store, id));
    const entry = beginOperation(ctx.db, 'restore', id, { keep: options.keep });
    faultPoint('restore.journalled');
    try {
      const thawed = await thaw(ctx, container, options);
      await finishRestore(ctx, thawed.container, options);
      return { input: nameOrId, id, duration: monotonicMicroseconds() - begun, ...thawed.figures };
    } catch (error) {
      throw interruptedOr(ctx, error, 'its checkpoint is kept');
    } finally {
      endOperation(ctx.db, entry);
    }
  });
}

export interface ThawOptions extends RestoreOptions {
  /** Of a lazy restore: starts what provides the memory, in place of {@link startPages}. */
  readonly startPages?: typeof startPages | undefined;
}

export interface Thawed {
  readonly container: Container;
  readonly figures: Pick<RestoreResult, 'runtimeDuration' | 'statistics'>;
}

/**
 * On cgroup v2, runc leaves it to CRIU into which cgroup the processes go, and CRIU would take the one that they were saved
 * in: that of another container where the ID is a new one, and one of podman's where podman wrote the archive.
 */
const cgroupRoot = (config: ContainerConfig): string | undefined =>
  hostFacts().cgroupVersion === 2 ? cgroupPath(config) : undefined;

/** Mounts and network first, then CRIU; packets flow again when the sockets are back. Undone as a whole on failure. */
export async function thaw(ctx: EngineContext, container: Container, options: ThawOptions): Promise<Thawed> {
  const { id, runtime: name, cgroupManager } = container.config;
  const runtime = openRuntime(ctx.store, name, { cgroupManager });
  const images = checkpointDirectory(ctx.store, id);
  return await undoOnFailure(async (cleanup) => {
    // Beside mounts and network, which take as long.
    const serving =
      options.lazy === true ? (options.startPages ?? startPages)(ctx, container, options) : undefined;
    if (serving !== undefined) {
      // Whoever waits for it is told; that may be later.
      serving.catch(() => undefined);
      // Undone after the processes have ended: without their server they would see pages of zeros.
      cleanup.add('end the server of pages', async () => {
        await serving.catch(() => undefined);
        stopPages(ctx, id);
      });
    }
    const { connected, reservation } = await prepare(ctx, container, cleanup, {
      hold: true,
      checkpoint: images,
      ignoreStaticIp: options.ignoreStaticIp,
      ignoreStaticMac: options.ignoreStaticMac,
    });
    await loadShm(ctx.store, id, shmArchivePath(images));
    const holdings = await connected();
    faultPoint('restore.mounted');
    await refuseLinkedRemaps(ctx, container, images);
    await giveEndBack(ctx, id);
    ctx.signal.throwIfAborted();
    const criuEnvironment = await writeCriuConfig(criuConfigPath(ctx.store, id), {
      tcpClose: options.tcpClose,
      cgroupRoot: cgroupRoot(container.config),
    });
    if (serving !== undefined) {
      await serving;
      faultPoint('pages.serving');
    }
    cleanup.add('remove what CRIU left', async () => {
      await untilLeftAlone(bundleDirectory(ctx.store, id));
      await removeCriuScratch(bundleDirectory(ctx.store, id));
      await endStrays(ctx, container.config);
    });
    cleanup.add(`delete ${id} from ${name}`, () => runtime.delete(id, { force: true }));
    const hold = holdings.netns === undefined ? undefined : readyRelease(holdings.netns);
    cleanup.add('leave the network held', () => hold?.cancel());
    const begun = monotonicMicroseconds();
    const { pid, monitorPid } = await explainRestoreFailure(container, images, () =>
      restoreInMonitor({
        store: ctx.store,
        runtime,
        config: container.config,
        exitCommand: exitCommand(ctx, id),
        criuEnvironment,
        inherit: reservation.fds,
        signal: ctx.signal,
        restore: {
          imagePath: images,
          tcpEstablished: options.tcpEstablished,
          fileLocks: options.fileLocks,
          lazyPages: options.lazy,
        },
      }),
    );
    const runtimeDuration = monotonicMicroseconds() - begun;
    reservation.close();
    ctx.signal.throwIfAborted();
    faultPoint('restore.running');
    await hold?.release();
    await freeConnections(ctx.store, id);
    faultPoint('restore.released');
    const running = updateState(ctx.db, id, {
      ...holdings,
      networkHeld: false,
      status: 'running',
      pid,
      pidStart: processStat(pid)?.startTime ?? '',
      monitorPid,
      bootId: bootId(),
      checkpointedAt: undefined,
      exitCode: 0,
      checkpointed: false,
      restored: true,
      restoredAt: timestamp(),
      error: undefined,
    });
    // What this restore ignored must not come back with the next start.
    if (options.ignoreStaticIp || options.ignoreStaticMac) {
      replaceContainer(ctx.db, { ...running, config: withoutIgnoredAddresses(running.config, options) });
    }
    const statistics = await restoreStatsIfAny(join(bundleDirectory(ctx.store, id), 'stats-restore'));
    return { container: running, figures: { runtimeDuration, statistics } };
  });
}

/**
 * The processes run: the checkpoint has served, unless it is to be kept, or memory still comes from it; then the watcher of
 * its pages calls this again. May be repeated.
 */
export async function finishRestore(
  ctx: EngineContext,
  { config: { id } }: Container,
  { keep }: Pick<RestoreOptions, 'keep'>,
): Promise<void> {
  faultPoint('restore.recorded');
  if (containerById(ctx.db, id)?.state.pages !== undefined) return;
  if (keep) {
    updateState(ctx.db, id, {
      restoreLog: restoreLogPath(ctx.store, id),
      exportPrevious: undefined,
      criuNames: undefined,
    });
    return;
  }
  const settled = updateState(ctx.db, id, {
    checkpointPath: undefined,
    checkpointLog: undefined,
    restoreLog: undefined,
    exportPrevious: undefined,
    criuNames: undefined,
  });
  await removeLetGo(checkpointDirectory(ctx.store, id));
  await forgetPreCheckpoints(ctx.store, settled);
  await rm(restoreLogPath(ctx.store, id), { force: true });
  await rm(dumpLogPath(ctx.store, id), { force: true });
}
