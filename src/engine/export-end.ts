import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Container } from '../model/container.ts';
import { updateState } from '../state/containers.ts';
import { amendOperation } from '../state/journal.ts';
import { timestamp } from '../system/clock.ts';
import { faultPoint } from '../system/faults.ts';
import { checkpointDirectory } from '../system/store-paths.ts';
import { dumpLogPath } from './bundle-files.ts';
import type { EngineContext } from './context.ts';
import type { ExportOptions } from './export-publish.ts';
import { killFrozen, told } from './frozen.ts';
import { recordedAsActive } from './observe.ts';
import { removeLocked } from './remove.ts';
import { settleExit } from './settle.ts';

/** From here on recovery ends the container too: a process that has met its signal cannot go on. */
export async function endExported(
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
