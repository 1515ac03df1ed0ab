import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { formatIdentity, IDENTITY_FILE } from '../archive/identity.ts';
import { type ArchiveCompression, MEMBER, MEMBER_DIRECTORY } from '../archive/members.ts';
import type { ArchiveTarget, ArchiveWriter } from '../archive/types.ts';
import { openArchiveWriter } from '../archive/writer.ts';
import { writeWhole } from '../criu/delta/write-whole.ts';
import { formatDumpStats } from '../criu/stats.ts';
import type { Container } from '../model/container.ts';
import { amendOperation, beginOperation, endOperation } from '../state/journal.ts';
import { undoOnFailure } from '../system/cleanup.ts';
import { monotonicMicroseconds } from '../system/clock.ts';
import { faultPoint } from '../system/faults.ts';
import { bundleDirectory } from '../system/store-paths.ts';
import type { CheckpointResult } from './checkpoint.ts';
import { checkpointFacts } from './checkpoint-facts.ts';
import { withScratch } from './checkpoint-view/scratch.ts';
import type { EngineContext } from './context.ts';
import { addFiles } from './export-images.ts';
import { writeKnownMembers } from './export-members.ts';
import { exportFacts } from './export-space.ts';
import { untilPagesAreIn } from './lazy-pages.ts';
import { refusePreCheckpoint } from './plan/checkpoint.ts';
import { type PreCheckpointOptions, type TakenPreCheckpoint, takePreCheckpoint } from './pre-checkpoint.ts';
import { writeRecord } from './pre-checkpoint-files.ts';
import { withContainer } from './with-container.ts';

export interface PreExportOptions extends PreCheckpointOptions {
  /** A pipe gets the archive as it grows; a file is replaced when it is whole. */
  readonly target: ArchiveTarget;
  readonly compression: ArchiveCompression;
}

/**
 * Takes a pre-checkpoint of a container that goes on, and writes it into an archive of its own, whole whatever it builds
 * on. Errors: those of preCheckpointContainer, NO_SPACE, USAGE for the target; then no archive is left.
 */
export async function exportPreCheckpoint(
  ctx: EngineContext,
  nameOrId: string,
  options: PreExportOptions,
): Promise<CheckpointResult> {
  const begun = monotonicMicroseconds();
  await untilPagesAreIn(ctx, nameOrId);
  return await withContainer(ctx, nameOrId, 'checkpoint', async (container) => {
    const { id } = container.config;
    await refuse(ctx, container, options);
    const entry = beginOperation(ctx.db, 'pre-export', id);
    const { figures } = await undoOnFailure(async (cleanup) => {
      cleanup.add('settle the export', () => endOperation(ctx.db, entry));
      const writer = await openWriter(ctx, container, options, (temp) =>
        amendOperation(ctx.db, entry, { temp }),
      );
      cleanup.add('discard the archive', () => writer.discard());
      const taken = await takePreCheckpoint(ctx, container, options);
      await withScratch(ctx.store, (scratch) => writeMembers(ctx, container, { writer, taken, scratch }));
      await publishArchive(ctx, container, writer);
      await writeRecord(taken.directory, { ...taken.record, exported: true });
      return taken;
    });
    endOperation(ctx.db, entry);
    return { input: nameOrId, id, duration: monotonicMicroseconds() - begun, ...figures };
  });
}

/** The pre-checkpoint itself stays with the container, and takes space there as well. */
async function refuse(ctx: EngineContext, container: Container, options: PreExportOptions): Promise<void> {
  const { target, compression } = options;
  const choice = { target, compression, ignoreRootfs: true, ignoreVolumes: true };
  for (const facts of [await checkpointFacts(ctx, container), await exportFacts(ctx, container, choice)]) {
    refusePreCheckpoint(container, { exported: true }, facts);
  }
}

const openWriter = (
  ctx: EngineContext,
  { config: { id, name } }: Container,
  { target, compression }: PreExportOptions,
  onTempFile: (path: string) => void,
): Promise<ArchiveWriter> =>
  openArchiveWriter({
    target,
    compression,
    scratch: bundleDirectory(ctx.store, id),
    onTempFile,
    progress: (bytes) => ctx.progress({ phase: 'export', subject: name, bytes }),
    signal: ctx.signal,
  });

interface Members {
  readonly writer: ArchiveWriter;
  readonly taken: TakenPreCheckpoint;
  /** Empty directory. */
  readonly scratch: string;
}

async function writeMembers(
  ctx: EngineContext,
  container: Container,
  { writer, taken, scratch }: Members,
): Promise<void> {
  const { directory, record, figures } = taken;
  const prefix = MEMBER_DIRECTORY.preImages;
  await writeKnownMembers(ctx, container, { withImage: false }, writer);
  await writer.addDirectory(prefix);
  // First, so that an import can refuse early.
  await writer.addContent(`${prefix}/${IDENTITY_FILE}`, formatIdentity(record));
  const into = join(scratch, prefix);
  await mkdir(into, { mode: 0o700 });
  await writer.addPages(prefix, into, () => writeWhole({ images: directory, into, signal: ctx.signal }));
  await addFiles(writer, prefix, into, [IDENTITY_FILE]);
  await writer.addContent(MEMBER.statistics, formatDumpStats(figures.statistics));
}

async function publishArchive(
  ctx: EngineContext,
  { config: { name } }: Container,
  writer: ArchiveWriter,
): Promise<void> {
  const { bytes } = await writer.finish();
  faultPoint('pre-checkpoint.archived');
  await writer.publish();
  await writer.discard();
  ctx.progress({ phase: 'export', subject: name, bytes, totalBytes: bytes, done: true });
}
