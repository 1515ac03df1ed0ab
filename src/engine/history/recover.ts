import { readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Container } from '../../model/container.ts';
import { checkpointByName } from '../../state/checkpoints.ts';
import type { JournalEntry } from '../../state/journal.ts';
import { TEMP_PREFIX } from '../../system/durable.ts';
import { bundleDirectory, historyDirectory } from '../../system/store-paths.ts';
import type { EngineContext } from '../context.ts';
import { removeLinkRemaps } from '../export-links.ts';
import { processLives, recordedAsActive } from '../observe.ts';
import { settleExit } from '../settle.ts';
import { putBack } from './aside.ts';
import { checkoutTemp } from './checkout.ts';
import { finishGoBack } from './go-back.ts';
import { settleForget } from './remove.ts';
import { endAtTag, removeUnrecorded } from './tag.ts';

/** How recovery brings a container to rest, or lets it go on. */
export interface Handling {
  readonly goOnRunning: (ctx: EngineContext, container: Container) => Promise<void>;
  /** Undoes a restore that was not recorded as running. */
  readonly undoRestore: (ctx: EngineContext, container: Container) => Promise<void>;
}

/**
 * A checkpoint that was recorded stays; of any other nothing does. The container goes on, unless it had been noted that it
 * ends; one that was lost, with a reboot, after its checkpoint was recorded is stopped with it.
 */
export async function repairTag(
  ctx: EngineContext,
  { data }: JournalEntry,
  container: Container | undefined,
  { goOnRunning }: Handling,
): Promise<void> {
  if (container === undefined) return;
  const { id } = container.config;
  const tag = String(data.tag);
  await removeUnrecorded(ctx, id, tag, join(historyDirectory(ctx.store, id), basename(String(data.temp))));
  await rm(checkoutTemp(ctx.store, id), { recursive: true, force: true });
  const isRecorded = checkpointByName(ctx.db, id, tag)?.status === 'complete';
  const isLost = recordedAsActive(container) && !processLives(container);
  if (isRecorded && (data.ending === true || (isLost && data.leaveRunning !== true))) {
    await endAtTag(ctx, container, { tag, keep: false });
    await removeTemps(ctx, id);
    return;
  }
  await removeTemps(ctx, id);
  await removeLinkRemaps(ctx, container, Array.isArray(data.links) ? data.links.map(String) : []);
  if (processLives(container)) await goOnRunning(ctx, container);
  else if (recordedAsActive(container)) await settleExit(ctx, container);
}

/**
 * Going back that came to running processes is finished; any other is undone. Where they were lost, with the power or by
 * themselves, the checkpoint that they came from has not served.
 */
export async function repairGoBack(
  ctx: EngineContext,
  { data }: JournalEntry,
  container: Container | undefined,
  { undoRestore }: Handling,
): Promise<void> {
  if (container === undefined) return;
  const volumes = Array.isArray(data.volumes) ? data.volumes.map(String) : [];
  if (recordedAsActive(container)) {
    const keep = data.keep === true || !processLives(container);
    await finishGoBack(ctx, container, String(data.tag), { volumes, keep });
    return;
  }
  await undoRestore(ctx, container);
  await putBack(ctx, container.config.id, { volumes, hadCheckpoint: data.hadCheckpoint === true });
  await removeTemps(ctx, container.config.id);
}

/** Files of the bundle that the killed command was about to give their names. */
async function removeTemps(ctx: EngineContext, id: string): Promise<void> {
  const bundle = bundleDirectory(ctx.store, id);
  for (const name of (await readdir(bundle)).filter((one) => one.startsWith(TEMP_PREFIX))) {
    await rm(join(bundle, name), { recursive: true, force: true });
  }
}

export async function repairForget(
  ctx: EngineContext,
  { subject, data }: JournalEntry,
  container: Container | undefined,
): Promise<void> {
  if (container !== undefined) await settleForget(ctx, subject, String(data.name));
}
