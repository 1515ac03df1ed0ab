import { mkdir, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Container } from '../model/container.ts';
import { beginOperation, endOperation } from '../state/journal.ts';
import { undoOnFailure } from '../system/cleanup.ts';
import { monotonicMicroseconds } from '../system/clock.ts';
import { publish, syncTree, tempBeside } from '../system/durable.ts';
import { faultPoint } from '../system/faults.ts';
import { logInfo } from '../system/log.ts';
import { dumpLogPath } from './bundle-files.ts';
import type { CheckpointResult } from './checkpoint.ts';
import { checkpointFacts } from './checkpoint-facts.ts';
import type { EngineContext } from './context.ts';
import { copyWhileRunning, type MemoryCopy, preDump } from './copy-memory.ts';
import { untilPagesAreIn } from './lazy-pages.ts';
import { type CheckpointOptions, refusePreCheckpoint } from './plan/checkpoint.ts';
import {
  chainOf,
  endTracking,
  forgetPreCheckpoints,
  lastPreCheckpoint,
  newRecord,
  nextPreCheckpoint,
  type PreCheckpoint,
  type PreCheckpointRecord,
  writeRecord,
} from './pre-checkpoint-files.ts';
import { findPrevious, type Previous, tracksChanges } from './previous.ts';
import { withContainer } from './with-container.ts';

export type PreCheckpointOptions = Pick<CheckpointOptions, 'keep' | 'tcpEstablished' | 'fileLocks'>;

/** A restore opens every one of them for each process. */
const MAX_CHAIN = 16;

/**
 * Copies a container's memory beside its checkpoint, for a later one that keeps only what has changed since; the container
 * goes on. Each builds on the one before it. Errors: CHECKPOINT_REFUSED, CONTAINER_STATE, NO_SPACE … before anything is
 * done, CHECKPOINT_FAILED; the pre-checkpoint before stays.
 */
export async function preCheckpointContainer(
  ctx: EngineContext,
  nameOrId: string,
  options: PreCheckpointOptions,
): Promise<CheckpointResult> {
  const begun = monotonicMicroseconds();
  await untilPagesAreIn(ctx, nameOrId);
  return await withContainer(ctx, nameOrId, 'checkpoint', async (container) => {
    refusePreCheckpoint(container, { exported: false }, await checkpointFacts(ctx, container));
    const { figures } = await takePreCheckpoint(ctx, container, options);
    const { id } = container.config;
    return { input: nameOrId, id, duration: monotonicMicroseconds() - begun, ...figures };
  });
}

export interface TakenPreCheckpoint extends PreCheckpoint {
  readonly figures: MemoryCopy;
}

/** {@link preCheckpointContainer} for a caller that holds the lock and has refused what cannot work. */
export async function takePreCheckpoint(
  ctx: EngineContext,
  container: Container,
  options: PreCheckpointOptions,
): Promise<TakenPreCheckpoint> {
  const { id } = container.config;
  const directory = nextPreCheckpoint(ctx.store, id);
  const images = tempBeside(directory);
  const entry = beginOperation(ctx.db, 'pre-checkpoint', id, { images: basename(images) });
  return await undoOnFailure(async (cleanup) => {
    cleanup.add('settle the journal', () => endOperation(ctx.db, entry));
    cleanup.add('remove the images', () => rm(images, { recursive: true, force: true }));
    faultPoint('pre-checkpoint.journalled');
    const { figures, record } = await copyMemory(ctx, container, images, options);
    await writeRecord(images, record);
    await syncTree(images);
    faultPoint('pre-checkpoint.copied');
    await publish(images, directory);
    faultPoint('pre-checkpoint.published');
    if (!options.keep) await rm(dumpLogPath(ctx.store, id), { force: true });
    await forgetPreCheckpoints(ctx.store, container);
    endOperation(ctx.db, entry);
    return { directory, link: `../${basename(directory)}`, record, figures };
  });
}

interface Copied {
  readonly figures: MemoryCopy;
  readonly record: PreCheckpointRecord;
}

async function copyMemory(
  ctx: EngineContext,
  container: Container,
  images: string,
  options: PreCheckpointOptions,
): Promise<Copied> {
  const tracked = await tracksChanges(ctx);
  const before = await buildsOn(ctx, container, tracked);
  logInfo(
    `${container.config.name}: memory is copied by ${tracked ? "CRIU, with the kernel's memory tracking" : 'reading it from outside, changes are told by content'}`,
  );
  const figures = tracked
    ? await trackedCopy(ctx, container, images, { ...options, before })
    : await copyWhileRunning(ctx, container, images, before);
  return { figures, record: newRecord(container, { tracked }) };
}

async function trackedCopy(
  ctx: EngineContext,
  container: Container,
  images: string,
  { before, ...options }: PreCheckpointOptions & { readonly before: Previous | undefined },
): Promise<MemoryCopy> {
  await mkdir(images, { mode: 0o700 });
  if (before !== undefined) await endTracking(before);
  return await preDump(ctx, container, images, { ...options, parentPath: before?.link });
}

/** The pre-checkpoint that the next one builds on; undefined where the next one is to be whole. */
async function buildsOn(
  ctx: EngineContext,
  container: Container,
  tracked: boolean,
): Promise<Previous | undefined> {
  const last = lastPreCheckpoint(ctx.store, container);
  if (last === undefined || chainOf(last.directory).length >= MAX_CHAIN) return undefined;
  const { previous } = await findPrevious(ctx, container);
  return previous?.tracked === tracked ? previous : undefined;
}
