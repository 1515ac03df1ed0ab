import { join } from 'node:path';
import type { Container, HandedOver } from '../../model/container.ts';
import { advanceArrival } from '../../state/arrivals.ts';
import { listContainers } from '../../state/containers.ts';
import type { JournalEntry } from '../../state/journal.ts';
import { bundleDirectory } from '../../system/store-paths.ts';
import type { EngineContext } from '../context.ts';
import { removeImages } from '../export-images.ts';
import { removeLinkRemaps } from '../export-links.ts';
import { removeVolumes } from '../import.ts';
import { giveAddressBack } from '../network/hand-over.ts';
import { processLives, recordedAsActive } from '../observe.ts';
import { settleExit } from '../settle.ts';
import { endMoved } from './depart-end.ts';
import { keepHere } from './keep-here.ts';

/** What the caller lends, whose modules lead here. */
export interface MoveRepairs {
  readonly goOnRunning: (ctx: EngineContext, container: Container) => Promise<void>;
}

/** What a journal entry `migrate` says; written by this program alone. */
interface MoveData {
  readonly images?: string;
  readonly links?: readonly string[];
  readonly handedOver?: HandedOver;
  /** The target has given up: it is in no doubt that nothing runs there. */
  readonly givenUp?: boolean;
  /** The checkpoint of what was frozen is in its place. */
  readonly made?: boolean;
  readonly ending?: {
    readonly to: string;
    readonly keepSource: boolean;
    readonly volumes: readonly string[];
  };
}

/**
 * A move whose process died at the source: before it was given away, the container goes on; while it was, its frozen
 * processes become a checkpoint that is in doubt; and what was to end, ends.
 */
export async function repairMigrate(
  ctx: EngineContext,
  { id: entry, data: written }: JournalEntry,
  container: Container | undefined,
  { goOnRunning }: MoveRepairs,
): Promise<void> {
  const data = written as MoveData;
  if (container === undefined) {
    await removeVolumes(ctx, data.ending?.volumes ?? []);
    return;
  }
  if (data.ending !== undefined) return await endMoved(ctx, container, { entry, ...data.ending });
  if (data.images !== undefined) {
    await removeImages(join(bundleDirectory(ctx.store, container.config.id), data.images));
  }
  if (data.made !== true) await removeLinkRemaps(ctx, container, data.links ?? []);
  if (data.handedOver !== undefined) {
    const doubt = data.givenUp === true ? undefined : data.handedOver;
    await keepHere(ctx, container, { entry, doubt, options: data.handedOver, made: data.made === true });
    return;
  }
  await giveAddressBack(ctx, container);
  if (processLives(container)) await goOnRunning(ctx, container);
  else if (recordedAsActive(container)) await settleExit(ctx, container);
}

/** What an import that came from another host, and has been repaired, came to. */
export function noteRepairedArrival(ctx: EngineContext, { subject, data }: JournalEntry): void {
  const { token } = data;
  if (typeof token !== 'string') return;
  const runs = listContainers(ctx.db).some(
    (container) => container.config.id === subject && recordedAsActive(container),
  );
  if (runs) advanceArrival(ctx.db, token, 'committed', 'running');
  advanceArrival(ctx.db, token, 'committed', 'failed', 'the process that took it in died');
  advanceArrival(ctx.db, token, 'prepared', 'aborted');
}
