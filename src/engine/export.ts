import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { ArchiveCompression } from '../archive/members.ts';
import type { ArchiveTarget, ArchiveWriter } from '../archive/types.ts';
import { openArchiveWriter } from '../archive/writer.ts';
import { readDumpStats } from '../criu/stats.ts';
import type { Container } from '../model/container.ts';
import { updateState } from '../state/containers.ts';
import { amendOperation, beginOperation, endOperation } from '../state/journal.ts';
import { undoOnFailure } from '../system/cleanup.ts';
import { monotonicMicroseconds, timestamp } from '../system/clock.ts';
import { tempBeside } from '../system/durable.ts';
import { faultPoint } from '../system/faults.ts';
import { bundleDirectory, checkpointDirectory } from '../system/store-paths.ts';
import { dumpLogPath } from './bundle-files.ts';
import type { CheckpointResult } from './checkpoint.ts';
import type { EngineContext } from './context.ts';
import { dumpPages } from './dump.ts';
import { writeFrozenMembers, writeKnownMembers } from './export-members.ts';
import { exportFacts } from './export-space.ts';
import { endUnlessFrozen, goesOn, killFrozen, told, whileFrozen } from './frozen.ts';
import { recordedAsActive } from './observe.ts';
import { type CheckpointOptions, refuseCheckpoint } from './plan/checkpoint.ts';
import { removeLocked } from './remove.ts';
import { settleExit } from './settle.ts';
import { withContainer } from './with-container.ts';

export interface ExportOptions extends CheckpointOptions {
  /** A pipe gets the archive as it grows; a file is replaced when it is whole. */
  readonly target: ArchiveTarget;
  readonly compression: ArchiveCompression;
  readonly ignoreRootfs: boolean;
  readonly ignoreVolumes: boolean;
  /** The base image goes into the archive too. */
  readonly withImage: boolean;
  /**
   * Called when the archive has its name, while a container that is to end is still frozen: when it fails, the container
   * goes on. Gives the path under which the archive stays.
   */
  readonly afterPublish?: ((container: Container) => Promise<string>) | undefined;
}

/**
 * Checkpoints a container into an archive, in one pass: CRIU's pages go straight into it. The container stays frozen
 * until the archive is complete and on disk; only then it ends, or goes on with `leaveRunning`. So whatever fails, it
 * goes on running and no archive is left. Errors: those of checkpointContainer, NO_SPACE, USAGE for the target.
 */
export async function exportContainer(
  ctx: EngineContext,
  nameOrId: string,
  options: ExportOptions,
): Promise<CheckpointResult> {
  const begun = monotonicMicroseconds();
  return await withContainer(ctx, nameOrId, 'checkpoint', async (container) => {
    const { id } = container.config;
    const facts = await exportFacts(ctx, container, options);
    refuseCheckpoint(container, { exported: true, ...options }, facts);
    const images = tempBeside(checkpointDirectory(ctx.store, id));
    const { leaveRunning } = options;
    const entry = beginOperation(ctx.db, 'export', id, { images: basename(images), leaveRunning });
    const figures = await writeArchive(ctx, container, options, {
      images,
      entry,
      totalBytes: facts.archiveBytes,
    });
    if (!leaveRunning) await endExported(ctx, container, options, entry);
    endOperation(ctx.db, entry);
    return { input: nameOrId, id, duration: monotonicMicroseconds() - begun, ...figures };
  });
}

type Figures = Pick<CheckpointResult, 'runtimeDuration' | 'statistics'>;

interface Attempt {
  /** Directory of CRIU's images but for the pages. */
  readonly images: string;
  /** Number of the journal entry. */
  readonly entry: number;
  /** About what goes into the archive, uncompressed. */
  readonly totalBytes: number;
}

/**
 * From the open target to the published archive. On failure the container goes on and the journal entry is settled; no
 * archive is left, unless it was complete and had its name already.
 */
async function writeArchive(
  ctx: EngineContext,
  container: Container,
  options: ExportOptions,
  { images, entry, totalBytes }: Attempt,
): Promise<Figures> {
  try {
    return await undoOnFailure(async (cleanup) => {
      cleanup.add('settle the export', () => endUnlessFrozen(ctx, container, entry));
      faultPoint('export.journalled');
      cleanup.add('remove the images', () => rm(images, { recursive: true, force: true }));
      await mkdir(images, { mode: 0o700 });
      const { config } = container;
      const writer = await openArchiveWriter({
        target: options.target,
        compression: options.compression,
        scratch: bundleDirectory(ctx.store, config.id),
        onTempFile: (temp) => amendOperation(ctx.db, entry, { temp }),
        progress: (bytes) =>
          ctx.progress({
            phase: 'export',
            subject: config.name,
            bytes,
            totalBytes: Math.max(bytes, totalBytes),
          }),
        signal: ctx.signal,
      });
      cleanup.add('discard the archive', () => writer.discard());
      faultPoint('export.opened');
      await writeKnownMembers(ctx, container, options, writer);
      const figures = await whileFrozen(ctx, container, options, async () => {
        const runtimeDuration = await writeFrozenMembers(ctx, container, options, {
          writer,
          images,
          dump: () => dumpPages(ctx, container, images, options),
        });
        const statistics = await readDumpStats(join(bundleDirectory(ctx.store, config.id), 'stats-dump'));
        if (!options.keep) await rm(dumpLogPath(ctx.store, config.id), { force: true });
        await rm(images, { recursive: true, force: true });
        // A container that is to end must not run again once its archive has its name.
        if (!options.leaveRunning) await publishArchive(ctx, container, options, { writer, entry });
        return { runtimeDuration, statistics };
      });
      if (options.leaveRunning) await publishArchive(ctx, container, options, { writer, entry });
      return figures;
    });
  } catch (error) {
    throw goesOn(container, error);
  }
}

interface Publication {
  readonly writer: ArchiveWriter;
  /** Number of the journal entry. */
  readonly entry: number;
}

async function publishArchive(
  ctx: EngineContext,
  container: Container,
  options: ExportOptions,
  { writer, entry }: Publication,
): Promise<void> {
  const { bytes } = await writer.finish();
  faultPoint('export.finished');
  await writer.publish();
  const kept = await options.afterPublish?.(container);
  try {
    await writer.discard();
    notePublished(ctx, container, options, { bytes, entry, kept });
  } catch (error) {
    throw told(error, 'the archive is complete');
  }
}

interface Published extends Pick<Publication, 'entry'> {
  /** As stored. */
  readonly bytes: number;
  /** Where the archive stays, when not under the target's name. */
  readonly kept: string | undefined;
}

function notePublished(
  ctx: EngineContext,
  { config }: Container,
  { target, keep }: ExportOptions,
  { bytes, entry, kept }: Published,
): void {
  ctx.progress({ phase: 'export', subject: config.name, bytes, totalBytes: bytes, done: true });
  updateState(ctx.db, config.id, {
    exportedAt: timestamp(),
    exportPath: kept ?? ('path' in target ? resolve(target.path) : undefined),
    checkpointLog: keep ? dumpLogPath(ctx.store, config.id) : undefined,
  });
  amendOperation(ctx.db, entry, { published: true });
  faultPoint('export.published');
}

/** From here on recovery ends the container too: a process that has met its signal cannot go on. */
async function endExported(
  ctx: EngineContext,
  container: Container,
  options: ExportOptions,
  entry: number,
): Promise<void> {
  try {
    amendOperation(ctx.db, entry, { ending: true });
    await endContainer(ctx, container, options);
  } catch (error) {
    const { name } = container.config;
    throw told(
      error,
      `the archive is complete, and ${name} was to end; the next command of cryopod completes that`,
    );
  }
}

/**
 * The archive is published: the frozen processes end without having run again, and with them the container's network,
 * whose address may be wanted where the archive is restored. Also what recovery runs; may be repeated.
 */
export async function endContainer(
  ctx: EngineContext,
  container: Container,
  { keep }: Pick<ExportOptions, 'keep'>,
): Promise<void> {
  const { id, autoRemove } = container.config;
  await killFrozen(ctx, container);
  faultPoint('export.ended');
  await rm(checkpointDirectory(ctx.store, id), { recursive: true, force: true });
  const log = dumpLogPath(ctx.store, id);
  const record = {
    checkpointed: true,
    checkpointedAt: timestamp(),
    checkpointPath: undefined,
    checkpointLog: keep && existsSync(log) ? log : undefined,
    exitCode: 0,
    restoredAt: undefined,
  };
  // The monitor's own command may have been first to notice the end.
  const settled = recordedAsActive(container)
    ? await settleExit(ctx, container, { record })
    : updateState(ctx.db, id, record);
  if (autoRemove) await removeLocked(ctx, settled, { volumes: true });
  faultPoint('export.recorded');
}
