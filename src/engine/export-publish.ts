import { basename, resolve } from 'node:path';
import type { ArchiveCompression } from '../archive/members.ts';
import type { ArchiveTarget, ArchiveWriter } from '../archive/types.ts';
import { openArchiveWriter } from '../archive/writer.ts';
import type { Container } from '../model/container.ts';
import { updateState } from '../state/containers.ts';
import { amendOperation } from '../state/journal.ts';
import { timestamp } from '../system/clock.ts';
import { faultPoint } from '../system/faults.ts';
import { bundleDirectory } from '../system/store-paths.ts';
import { dumpLogPath } from './bundle-files.ts';
import type { CheckpointResult } from './checkpoint.ts';
import type { EngineContext } from './context.ts';
import { told } from './frozen.ts';
import type { CheckpointOptions } from './plan/checkpoint.ts';
import type { Previous } from './previous.ts';

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

/** An export that has been judged. */
export interface ExportChoice extends ExportOptions {
  /** The pre-checkpoint that it builds on. */
  readonly previous: Previous | undefined;
}

export type Figures = Pick<CheckpointResult, 'runtimeDuration' | 'statistics'>;

interface Opening {
  /** Number of the journal entry. */
  readonly entry: number;
  /** About what goes into the archive, uncompressed. */
  readonly totalBytes: number;
}

/** Opens the target, in the name of a journalled export. Errors: those of openArchiveWriter. */
export const openExport = (
  ctx: EngineContext,
  { config }: Container,
  { target, compression }: ExportOptions,
  { entry, totalBytes }: Opening,
): Promise<ArchiveWriter> =>
  openArchiveWriter({
    target,
    compression,
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

interface Publication {
  readonly writer: ArchiveWriter;
  /** Number of the journal entry. */
  readonly entry: number;
}

/** The archive gets its name, and the container's record tells of it. */
export async function publishArchive(
  ctx: EngineContext,
  container: Container,
  options: ExportChoice,
  { writer, entry }: Publication,
): Promise<void> {
  const { bytes } = await writer.finish();
  ctx.signal.throwIfAborted();
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
  { target, keep, leaveRunning, previous }: ExportChoice,
  { bytes, entry, kept }: Published,
): void {
  ctx.progress({ phase: 'export', subject: config.name, bytes, totalBytes: bytes, done: true });
  updateState(ctx.db, config.id, {
    exportedAt: timestamp(),
    exportPath: kept ?? ('path' in target ? resolve(target.path) : undefined),
    exportPrevious: previous === undefined || leaveRunning ? undefined : basename(previous.directory),
    checkpointLog: keep ? dumpLogPath(ctx.store, config.id) : undefined,
  });
  amendOperation(ctx.db, entry, { published: true });
  faultPoint('export.published');
}
