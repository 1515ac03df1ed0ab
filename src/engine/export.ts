import { mkdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { dumpStatsIfAny } from '../criu/stats.ts';
import type { Container } from '../model/container.ts';
import { beginOperation, endOperation } from '../state/journal.ts';
import { undoOnFailure } from '../system/cleanup.ts';
import { monotonicMicroseconds } from '../system/clock.ts';
import { tempBeside } from '../system/durable.ts';
import { faultPoint } from '../system/faults.ts';
import { bundleDirectory, checkpointDirectory } from '../system/store-paths.ts';
import { dumpLogPath } from './bundle-files.ts';
import type { CheckpointResult } from './checkpoint.ts';
import type { EngineContext } from './context.ts';
import { deltaBeside } from './delta-images.ts';
import { dumpPages } from './dump.ts';
import { endExported } from './export-end.ts';
import { openComparison, removeImages, writeImages } from './export-images.ts';
import { withLinkRemaps } from './export-links.ts';
import { writeFrozenMembers, writeKnownMembers } from './export-members.ts';
import {
  type ExportChoice,
  type ExportOptions,
  type Figures,
  openExport,
  publishArchive,
} from './export-publish.ts';
import { exportFacts } from './export-space.ts';
import { exportThroughCheckpoint } from './export-through.ts';
import { endUnlessFrozen, goesOn, whileFrozen } from './frozen.ts';
import { untilPagesAreIn } from './lazy-pages.ts';
import { needsLocalCheckpoint, refuseCheckpoint } from './plan/checkpoint.ts';
import { findPrevious } from './previous.ts';
import { withContainer } from './with-container.ts';

/**
 * Checkpoints a container into an archive, in one pass: CRIU's pages go straight into it. The container stays frozen
 * until the archive is complete and on disk; only then it ends, or goes on with `leaveRunning`. So whatever fails, it
 * goes on running and no archive is left; but for a container whose network nothing can hold, which goes through a local
 * checkpoint. Errors: those of checkpointContainer, NO_SPACE, USAGE for the target.
 */
export async function exportContainer(
  ctx: EngineContext,
  nameOrId: string,
  options: ExportOptions,
): Promise<CheckpointResult> {
  const begun = monotonicMicroseconds();
  await untilPagesAreIn(ctx, nameOrId);
  return await withContainer(ctx, nameOrId, 'checkpoint', async (container) => {
    const { id } = container.config;
    const found =
      options.withPrevious === true ? await findPrevious(ctx, container, { needsArchive: true }) : undefined;
    const isThrough = needsLocalCheckpoint(container, options);
    const facts = await exportFacts(ctx, container, { ...options, found });
    refuseCheckpoint(container, { exported: true, ...options }, facts);
    const work = isThrough ? exportThroughCheckpoint : exportFrozen;
    const choice = { ...options, previous: found?.previous };
    const figures = await work(ctx, container, choice, facts.archiveBytes);
    return { input: nameOrId, id, duration: monotonicMicroseconds() - begun, ...figures };
  });
}

async function exportFrozen(
  ctx: EngineContext,
  container: Container,
  options: ExportChoice,
  totalBytes: number,
): Promise<Figures> {
  const { id } = container.config;
  const images = tempBeside(checkpointDirectory(ctx.store, id));
  const { leaveRunning } = options;
  const entry = beginOperation(ctx.db, 'export', id, { images: basename(images), leaveRunning });
  const figures = await writeArchive(ctx, container, options, { images, entry, totalBytes });
  if (!leaveRunning) await endExported(ctx, container, options, entry);
  endOperation(ctx.db, entry);
  return figures;
}

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
  options: ExportChoice,
  { images, entry, totalBytes }: Attempt,
): Promise<Figures> {
  try {
    return await undoOnFailure(async (cleanup) => {
      cleanup.add('settle the export', () => endUnlessFrozen(ctx, container, entry));
      faultPoint('export.journalled');
      cleanup.add('remove the images', () => removeImages(images));
      await mkdir(images, { mode: 0o700 });
      const { config } = container;
      const writer = await openExport(ctx, container, options, { entry, totalBytes });
      cleanup.add('discard the archive', () => writer.discard());
      faultPoint('export.opened');
      await writeKnownMembers(ctx, container, options, writer);
      const comparison = await openComparison(ctx, container, options.previous, deltaBeside(images));
      cleanup.add('end the comparison', () => comparison?.discard());
      const { leaveRunning } = options;
      const figures = await whileFrozen(ctx, container, options, () =>
        withLinkRemaps(ctx, container, { images, entry, leaveRunning }, async (makeLinks) => {
          const dump = async (): Promise<number> => {
            const duration = await dumpPages(ctx, container, images, options);
            await makeLinks();
            return duration;
          };
          const runtimeDuration = await writeFrozenMembers(ctx, container, options, {
            writer,
            writeImages: () => writeImages(options, { writer, images, dump, comparison }),
          });
          const statistics = await dumpStatsIfAny(join(bundleDirectory(ctx.store, config.id), 'stats-dump'));
          if (!options.keep) await rm(dumpLogPath(ctx.store, config.id), { force: true });
          await removeImages(images);
          // A container that is to end must not run again once its archive has its name.
          if (!leaveRunning) await publishArchive(ctx, container, options, { writer, entry });
          return { runtimeDuration, statistics };
        }),
      );
      if (leaveRunning) await publishArchive(ctx, container, options, { writer, entry });
      return figures;
    });
  } catch (error) {
    throw goesOn(ctx, container, error);
  }
}
