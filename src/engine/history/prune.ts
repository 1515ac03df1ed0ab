import { isStored, type NamedCheckpoint } from '../../model/checkpoint.ts';
import { deleteCheckpoint, listCheckpoints } from '../../state/checkpoints.ts';
import type { EngineContext } from '../context.ts';
import { type Retention, toRemove } from '../plan/retention.ts';
import { withContainer } from '../with-container.ts';
import { removeRecorded } from './remove.ts';

export interface PruneHistoryOptions {
  readonly retention: Retention;
  /** Says only what would go. */
  readonly dryRun: boolean;
  /** Only what a schedule has made. */
  readonly automatic?: boolean | undefined;
}

/**
 * Removes the checkpoints of one container's history that a policy does not keep, and records of runs that stored nothing
 * from before the oldest that stays. `told` hears of each that is gone, or would be. Errors: as removeCheckpoint.
 */
export async function pruneHistory(
  ctx: EngineContext,
  container: string,
  { retention, dryRun, automatic = false }: PruneHistoryOptions,
  told: (record: NamedCheckpoint) => void,
): Promise<void> {
  await withContainer(ctx, container, 'prune the history', async ({ config }) => {
    const all = listCheckpoints(ctx.db, config.id).filter((one) => !automatic || one.automatic);
    const stored = all.filter(isStored);
    // Newest first: the one after them then takes in what differs, and only at last what the oldest holds whole.
    const gone = toRemove(stored, retention);
    for (const record of gone) {
      // Removing one changes the records of those that are stored against it.
      const present = listCheckpoints(ctx.db, config.id).find(({ name }) => name === record.name);
      if (!dryRun && present !== undefined) await removeRecorded(ctx, present);
      told(record);
    }
    if (!dryRun)
      forgetRuns(
        ctx,
        all,
        stored.find((one) => !gone.includes(one)),
      );
  });
}

function forgetRuns(
  ctx: EngineContext,
  all: readonly NamedCheckpoint[],
  oldest: NamedCheckpoint | undefined,
): void {
  if (oldest === undefined) return;
  const runs = all.filter((one) => !isStored(one));
  for (const run of runs.filter(({ created }) => created < oldest.created)) deleteCheckpoint(ctx.db, run);
}
