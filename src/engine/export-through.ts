import type { Container } from '../model/container.ts';
import { containerById } from '../state/containers.ts';
import { beginOperation, endOperation } from '../state/journal.ts';
import { undoOnFailure } from '../system/cleanup.ts';
import { faultPoint } from '../system/faults.ts';
import { checkpointLocked } from './checkpoint.ts';
import { checkpointFacts } from './checkpoint-facts.ts';
import type { EngineContext } from './context.ts';
import { endExported } from './export-end.ts';
import { writeCheckpointMembers, writeKnownMembers } from './export-members.ts';
import {
  type ExportChoice,
  type ExportOptions,
  type Figures,
  openExport,
  publishArchive,
} from './export-publish.ts';
import { told } from './frozen.ts';
import { processLives } from './observe.ts';
import { refuseCheckpoint } from './plan/checkpoint.ts';

/**
 * Exports by way of a local checkpoint: CRIU ends the processes, and the archive is made of the images, which go only when
 * it is complete and has its name. Memory is on disk twice meanwhile. What fails before CRIU has ended the processes leaves
 * the container running; what fails afterwards leaves it with the complete local checkpoint. The caller holds the lock.
 */
export async function exportThroughCheckpoint(
  ctx: EngineContext,
  container: Container,
  options: ExportChoice,
  totalBytes: number,
): Promise<Figures> {
  const { id } = container.config;
  refuseCheckpoint(container, { exported: true, ...options }, await checkpointFacts(ctx, container));
  const entry = beginOperation(ctx.db, 'export', id);
  const figures = await undoOnFailure(async (cleanup) => {
    cleanup.add('settle the export', () => endOperation(ctx.db, entry));
    faultPoint('export.journalled');
    const writer = await openExport(ctx, container, options, { entry, totalBytes });
    cleanup.add('discard the archive', () => writer.discard());
    faultPoint('export.opened');
    await writeKnownMembers(ctx, container, options, writer);
    const done = await checkpointLocked(ctx, container, options);
    faultPoint('export.checkpointed');
    await writeCheckpointMembers(ctx, container, options, writer);
    await publishArchive(ctx, container, options, { writer, entry });
    return done;
  }).catch((error: unknown) => {
    throw told(error, fateOf(container, options));
  });
  await endExported(ctx, containerById(ctx.db, id) ?? container, options, entry);
  endOperation(ctx.db, entry);
  return figures;
}

/** Where its processes have ended: how they go on without the archive. */
function fateOf(container: Container, { fileLocks }: ExportOptions): string {
  const { name } = container.config;
  if (processLives(container)) return `${name} goes on running`;
  const locks = fileLocks ? ' --file-locks' : '';
  return `the complete checkpoint of ${name} is here: cryopod container restore --tcp-established${locks} ${name}`;
}
