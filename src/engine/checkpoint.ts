import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { linkRemapNames } from '../criu/link-remaps.ts';
import { type DumpStats, dumpStatsIfAny } from '../criu/stats.ts';
import type { Container } from '../model/container.ts';
import { messageOf } from '../model/errors.ts';
import type { Progress } from '../model/progress.ts';
import { volumeMountpoint } from '../rootfs/volumes.ts';
import { openRuntime } from '../runtime/runtime.ts';
import { updateState } from '../state/containers.ts';
import { amendOperation, beginOperation, endOperation } from '../state/journal.ts';
import { monotonicMicroseconds, timestamp } from '../system/clock.ts';
import { syncFileSystem, tempBeside } from '../system/durable.ts';
import { faultPoint } from '../system/faults.ts';
import { logWarning } from '../system/log.ts';
import { bundleDirectory, checkpointDirectory } from '../system/store-paths.ts';
import { dumpLogPath } from './bundle-files.ts';
import { checkpointFacts } from './checkpoint-facts.ts';
import { holdsImages, replaceCheckpoint } from './checkpoint-files.ts';
import { cleanUpEnded } from './cleanup.ts';
import type { EngineContext } from './context.ts';
import { type DeltaParent, makeDelta } from './delta-images.ts';
import { type DumpOptions, dump } from './dump.ts';
import { takeEnd } from './exit-command.ts';
import { goesOn } from './frozen.ts';
import { hasEndedContainer } from './go-on.ts';
import { holdForFreeze } from './hold-connections.ts';
import { untilPagesAreIn } from './lazy-pages.ts';
import { processLives } from './observe.ts';
import { type CheckpointOptions, refuseCheckpoint } from './plan/checkpoint.ts';
import { forgetPreCheckpoints } from './pre-checkpoint-files.ts';
import { findPrevious } from './previous.ts';
import { settleExit } from './settle.ts';
import { withContainer } from './with-container.ts';

export interface CheckpointResult {
  /** The name or ID that the user gave. */
  readonly input: string;
  readonly id: string;
  /** Microseconds. */
  readonly duration: number;
  readonly runtimeDuration: number;
  readonly statistics: DumpStats;
}

/**
 * Freezes a container's processes into its checkpoint directory. They are gone afterwards, its address stays and drops
 * packets, unless it is left running. Fails before anything is frozen where that can be known (CHECKPOINT_REFUSED,
 * CONTAINER_STATE, NO_SPACE …), else with CHECKPOINT_FAILED; then the container goes on running.
 */
export async function checkpointContainer(
  ctx: EngineContext,
  nameOrId: string,
  options: CheckpointOptions,
): Promise<CheckpointResult> {
  const begun = monotonicMicroseconds();
  await untilPagesAreIn(ctx, nameOrId);
  return await withContainer(ctx, nameOrId, 'checkpoint', async (container) => {
    const { id } = container.config;
    const facts = await checkpointFacts(ctx, container);
    const found = options.withPrevious === true ? await findPrevious(ctx, container) : undefined;
    refuseCheckpoint(container, options, { ...facts, previous: found?.facts });
    const figures = await checkpointLocked(ctx, container, { ...options, previous: found?.previous });
    return { input: nameOrId, id, duration: monotonicMicroseconds() - begun, ...figures };
  });
}

/** {@link checkpointContainer} for a caller that holds the lock and has made sure that nothing speaks against it. */
export async function checkpointLocked(
  ctx: EngineContext,
  container: Container,
  options: CheckpointOptions & DumpOptions,
): Promise<Pick<CheckpointResult, 'runtimeDuration' | 'statistics'>> {
  const { id } = container.config;
  // A log of an earlier dump must not vouch for this one after a crash.
  await rm(dumpLogPath(ctx.store, id), { force: true });
  const images = tempBeside(checkpointDirectory(ctx.store, id));
  const { leaveRunning, previous } = options;
  const delta = previous === undefined || previous.tracked ? undefined : previous;
  const entry = beginOperation(ctx.db, 'checkpoint', id, {
    images: basename(images),
    leaveRunning,
    ...(delta === undefined ? {} : { delta: basename(delta.directory) }),
  });
  faultPoint('checkpoint.journalled');
  const runtimeDuration = await holdAndDump(ctx, container, images, options).catch(async (error: unknown) => {
    if (await hasEndedContainer(ctx, container, images)) {
      logWarning(`the runtime reported a failure after CRIU had saved ${id}: ${messageOf(error)}`);
      return 0;
    }
    await rm(images, { recursive: true, force: true });
    endOperation(ctx.db, entry);
    // Its own end, which the monitor has left to this command.
    if (!processLives(container)) await cleanUpEnded(ctx, await settleExit(ctx, container));
    throw goesOn(ctx, container, error, 'CHECKPOINT_FAILED');
  });
  await finishCheckpoint(ctx, container, { images, delta: delta && { ...delta, entry } }, options);
  endOperation(ctx.db, entry);
  const statistics = await dumpStatsIfAny(join(bundleDirectory(ctx.store, id), 'stats-dump'));
  return { runtimeDuration, statistics };
}

/** Silence, then the dump. On failure the caller lets the container go on. */
async function holdAndDump(
  ctx: EngineContext,
  container: Container,
  images: string,
  options: DumpOptions,
): Promise<number> {
  const { id, runtime, cgroupManager } = container.config;
  await mkdir(images, { mode: 0o700 });
  const freeze = (): Promise<void> => openRuntime(ctx.store, runtime, { cgroupManager }).pause(id);
  const frozen = await holdForFreeze(ctx, container, { ...options, freeze });
  faultPoint('checkpoint.held');
  if (!options.leaveRunning) await takeEnd(ctx, id);
  const duration = await dump(ctx, container, images, { ...options, frozen });
  if (options.leaveRunning) ctx.signal.throwIfAborted();
  return duration;
}

export interface DumpedImages {
  readonly images: string;
  /** What they are to become a delta to by content, in the name of a journal entry. */
  readonly delta?: (DeltaParent & { readonly entry: number }) | undefined;
}

/**
 * From the images on disk to the settled record. Also what recovery runs when a crash came after the dump: every step
 * may be repeated.
 */
export async function finishCheckpoint(
  ctx: EngineContext,
  container: Container,
  dumped: DumpedImages,
  { leaveRunning, keep, tag }: Pick<CheckpointOptions, 'leaveRunning' | 'keep'> & { readonly tag?: string },
): Promise<void> {
  const { id } = container.config;
  faultPoint('checkpoint.dumped');
  const path = checkpointDirectory(ctx.store, id);
  await publishImages(ctx, container, dumped);
  faultPoint('checkpoint.published');
  const log = dumpLogPath(ctx.store, id);
  if (!keep) await rm(log, { force: true });
  const record = {
    checkpointedAt: timestamp(),
    checkpointPath: path,
    // An older archive must never stand in for this one.
    exportPath: undefined,
    exportPrevious: undefined,
    checkpointLog: keep ? log : undefined,
    checkpointTag: tag,
  };
  if (leaveRunning) {
    await forgetPreCheckpoints(ctx.store, updateState(ctx.db, id, record));
  } else {
    await settleExit(ctx, container, {
      keepNetwork: true,
      record: {
        ...record,
        checkpointed: true,
        criuNames: await linkRemapNames(path),
        exitCode: 0,
        restoredAt: undefined,
        networkHeld: container.state.netns !== undefined,
      },
    });
  }
  faultPoint('checkpoint.recorded');
}

/** Puts the images, or the delta that they become, in the checkpoint's place. Whole ones go only after that is on disk. */
async function publishImages(
  ctx: EngineContext,
  container: Container,
  { images, delta }: DumpedImages,
): Promise<void> {
  const { id, name } = container.config;
  const path = checkpointDirectory(ctx.store, id);
  const progress: Progress = (event) => ctx.progress({ ...event, subject: name });
  // Repeated after a crash, it may find them published already.
  const isHere = holdsImages(images);
  const ready = isHere && delta !== undefined ? await makeDelta(images, delta, progress) : images;
  // The processes count on their files as well: CRIU restores none whose open file has another size. With dump.log, recovery
  // knows that the images are whole.
  if (isHere) await syncFileSystem(ready, ...volumeDirectories(ctx, container));
  await replaceCheckpoint(ready, path);
  if (delta === undefined || ready === images) return;
  // Half removed, they must not be taken for whole ones after a crash.
  amendOperation(ctx.db, delta.entry, { published: true });
  await rm(images, { recursive: true, force: true });
}

/** Directories of the container's volumes, which may lie on other file systems. */
export const volumeDirectories = (ctx: EngineContext, { config }: Container): string[] =>
  config.mounts
    .filter(({ type }) => type === 'volume')
    .map(({ source }) => volumeMountpoint(ctx.store, source))
    .filter(existsSync);
