import { isStored, type NamedCheckpoint } from '../../model/checkpoint.ts';
import { listCheckpoints, putCheckpoint } from '../../state/checkpoints.ts';
import { logWarning } from '../../system/log.ts';
import type { EngineContext } from '../context.ts';
import { findDamage } from './damage.ts';

/** Readers of a chain keep the maps of all its levels in memory; the limit of criu/delta/chain.ts is 64. */
const MAX_CHAIN = 32;

/**
 * The newest checkpoint that a new one can be stored against, checked before anything is frozen: the chain of its pages,
 * and the digests of all that is not pages or files. A damaged one is told, noted in its record, and passed over: the
 * new checkpoint is then stored whole.
 */
export async function usableParent(
  ctx: EngineContext,
  container: string,
): Promise<NamedCheckpoint | undefined> {
  const all = listCheckpoints(ctx.db, container);
  const newest = all.findLast(isStored);
  if (newest === undefined) return undefined;
  const damage = await findDamage(ctx, newest);
  if (damage !== undefined) {
    logWarning(`the checkpoint ${newest.name} is damaged, so that the new one is stored whole: ${damage}`);
    if (newest.status !== 'damaged') putCheckpoint(ctx.db, { ...newest, status: 'damaged', message: damage });
    return undefined;
  }
  return chainLength(all, newest) < MAX_CHAIN ? newest : undefined;
}

function chainLength(all: readonly NamedCheckpoint[], from: NamedCheckpoint): number {
  let length = 0;
  for (let at: NamedCheckpoint | undefined = from; at !== undefined && length < all.length; length += 1) {
    const { parent }: NamedCheckpoint = at;
    at = all.find(({ name }) => name === parent);
  }
  return length;
}
