import { existsSync, readdirSync } from 'node:fs';
import { type CriuOptions, criuRuntimeFlags, writeCriuConfig } from '../criu/options.ts';
import { narrowWindows } from '../criu/tcp-streams.ts';
import type { Container } from '../model/container.ts';
import { messageOf } from '../model/errors.ts';
import { establishedConnections } from '../network/connections.ts';
import { shmDirectory } from '../rootfs/shm.ts';
import { saveShm } from '../rootfs/shm-archive.ts';
import { openRuntime } from '../runtime/runtime.ts';
import { monotonicMicroseconds } from '../system/clock.ts';
import { logInfo } from '../system/log.ts';
import { bundleDirectory } from '../system/store-paths.ts';
import { criuConfigPath, shmArchivePath } from './bundle-files.ts';
import type { EngineContext } from './context.ts';
import { criuProbe } from './criu-probe.ts';
import { explainDumpFailure } from './explain.ts';
import { isFrozen } from './frozen.ts';
import { noteConnections } from './network/connections-file.ts';
import { writeNetworkStatus } from './network/status-file.ts';
import type { CheckpointOptions } from './plan/checkpoint.ts';
import { endTracking } from './pre-checkpoint-files.ts';
import type { Previous } from './previous.ts';

export interface DumpOptions
  extends Pick<CheckpointOptions, 'leaveRunning' | 'tcpEstablished' | 'fileLocks'> {
  /** The pre-checkpoint before it. Where changes since are tracked, CRIU leaves out what has not changed. */
  readonly previous?: Previous | undefined;
}

export interface FrozenDumpOptions extends Omit<DumpOptions, 'leaveRunning'> {
  readonly leaveRunning?: boolean | undefined;
  /** The memory that may come after a restore is left out of the images, and stays in the frozen processes alone. */
  readonly lazy?: boolean | undefined;
  /** Only cryopod will restore it, with packets held until all sockets are there. */
  readonly restoredHeld?: boolean | undefined;
}

/** A number that no runtime uses for something of its own: CRIU inherits the descriptor through it. */
const PAGE_SOCKET = 19;

/**
 * Lets CRIU dump a container that is frozen already into `images`, in which its pages files are FIFOs; it stays frozen.
 * Gives the runtime's microseconds. Errors: CHECKPOINT_FAILED, explained.
 */
export async function dumpPages(
  ctx: EngineContext,
  container: Container,
  images: string,
  options: FrozenDumpOptions,
): Promise<number> {
  const { id, runtime, cgroupManager } = container.config;
  const { tcpEstablished, fileLocks, previous, lazy = false, restoredHeld = false } = options;
  const criuOptions: CriuOptions = {
    linkRemap: true,
    skipInFlight: leavesUnaccepted(container, options),
    pageSocket: lazy ? PAGE_SOCKET : undefined,
    networkLock: await lockBeside(ctx, container, { tcpEstablished, restoredHeld }),
  };
  const criuEnvironment = await writeCriuConfig(criuConfigPath(ctx.store, id), criuOptions);
  const parentPath = await parentFor(previous);
  const begun = monotonicMicroseconds();
  await explainDumpFailure(container, () =>
    openRuntime(ctx.store, runtime, { cgroupManager }).checkpoint(id, {
      imagePath: images,
      workPath: bundleDirectory(ctx.store, id),
      criuEnvironment,
      flags: criuRuntimeFlags(criuOptions),
      // CRIU is not to end the processes: they wait until the archive is on disk.
      leaveRunning: true,
      lazyPages: lazy ? { socket: PAGE_SOCKET } : undefined,
      tcpEstablished,
      fileLocks,
      parentPath,
      signal: ctx.signal,
    }),
  );
  if (tcpEstablished) await letSegmentsGrow(images);
  return monotonicMicroseconds() - begun;
}

/** What fails here costs restored connections speed alone, and must not cost the container its checkpoint. */
async function letSegmentsGrow(images: string): Promise<void> {
  try {
    await narrowWindows(images);
  } catch (error) {
    logInfo(`restored connections may send small segments: ${messageOf(error)}`);
  }
}

/**
 * CRIU saves no connection that is not accepted yet, and fails where there is one, unless it is told to leave it out. One
 * that goes on with the container is not lost; one that does not has had its time, and was told (hold-connections.ts).
 */
const leavesUnaccepted = (
  { state }: Container,
  { leaveRunning = false, tcpEstablished }: Pick<FrozenDumpOptions, 'leaveRunning' | 'tcpEstablished'>,
): boolean => leaveRunning || (tcpEstablished && state.netns !== undefined);

/** What CRIU leaves out pages for, where it can tell what has changed since. */
async function parentFor(previous: Previous | undefined): Promise<string | undefined> {
  if (previous?.tracked !== true) return undefined;
  await endTracking(previous);
  return previous.link;
}

/** Since 4.0 CRIU is known to take `skip`: an older one that does not would refuse its configuration. */
const SKIPS_LOCK = 40000;

/**
 * CRIU drops the packets of a container's network through iptables, from the dump until the end of the restore, which takes
 * longer than the rest of a small one (docs/decisions/0013). It is left out where no connection is saved, which packets could
 * change, and where cryopod holds them all at both ends. A hold leaves lo open, over which both ends may be inside.
 */
async function lockBeside(
  ctx: EngineContext,
  { state }: Container,
  { tcpEstablished, restoredHeld }: Pick<FrozenDumpOptions, 'tcpEstablished' | 'restoredHeld'>,
): Promise<CriuOptions['networkLock']> {
  const isHeld = restoredHeld === true && state.netns !== undefined;
  const version = (await criuProbe(ctx))?.version ?? 0;
  if (version < SKIPS_LOCK) return undefined;
  return !tcpEstablished || (isHeld && !hasInnerConnections(state.pid)) ? 'skip' : undefined;
}

/** True where both ends of a connection are in the container's network. */
function hasInnerConnections(pid: number): boolean {
  const connections = establishedConnections(pid);
  const ends = new Set(connections.map(({ local, remote }) => `${local} ${remote}`));
  return connections.some(({ local, remote }) => ends.has(`${remote} ${local}`));
}

/**
 * Lets CRIU write the container's processes into the existing directory `images`, beside the content of /dev/shm and the
 * addresses that they know. CRIU's dump is the last step: once it has succeeded, nothing more fails here. On failure
 * the processes run on, also where they were `frozen` already, and the error explains why (CHECKPOINT_FAILED). Gives the
 * runtime's microseconds.
 */
export async function dump(
  ctx: EngineContext,
  container: Container,
  images: string,
  {
    leaveRunning,
    tcpEstablished,
    fileLocks,
    previous,
    frozen = false,
  }: DumpOptions & { readonly frozen?: boolean | undefined },
): Promise<number> {
  const { id, runtime: name, cgroupManager } = container.config;
  const runtime = openRuntime(ctx.store, name, { cgroupManager });
  // CRIU then makes names for such files, which a container that goes on must not see.
  const criuOptions: CriuOptions = {
    linkRemap: !leaveRunning,
    skipInFlight: leavesUnaccepted(container, { leaveRunning, tcpEstablished }),
    networkLock: await lockBeside(ctx, container, { tcpEstablished }),
  };
  const criuEnvironment = await writeCriuConfig(criuConfigPath(ctx.store, id), criuOptions);
  await writeNetworkStatus(images, container.state.networks);
  await noteConnections(ctx.store, container.config, container.state.pid);
  const shm = shmDirectory(ctx.store, id);
  const shmInUse = existsSync(shm) && readdirSync(shm).length > 0;
  // /dev/shm must be saved as the dumped processes know it: they are frozen first, which CRIU leaves as it finds it.
  if (shmInUse && !frozen) await runtime.pause(id);
  try {
    if (shmInUse) await saveShm(ctx.store, id, shmArchivePath(images));
    const parentPath = await parentFor(previous);
    ctx.signal.throwIfAborted();
    const begun = monotonicMicroseconds();
    await explainDumpFailure(container, () =>
      runtime.checkpoint(id, {
        imagePath: images,
        workPath: bundleDirectory(ctx.store, id),
        criuEnvironment,
        flags: criuRuntimeFlags(criuOptions),
        leaveRunning,
        tcpEstablished,
        fileLocks,
        parentPath,
        signal: ctx.signal,
      }),
    );
    if (tcpEstablished) await letSegmentsGrow(images);
    return monotonicMicroseconds() - begun;
  } finally {
    // Where CRIU was killed, its processes may have been thawed already.
    if ((shmInUse || frozen) && (await isFrozen(ctx, container))) await runtime.resume(id);
  }
}
