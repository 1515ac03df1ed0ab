import type { Container } from '../model/container.ts';
import { messageOf } from '../model/errors.ts';
import { containerById, failNoContainer, findContainer } from '../state/containers.ts';
import { withLock } from '../state/locks.ts';
import { logWarning } from '../system/log.ts';
import type { EngineContext } from './context.ts';
import { interruptedOr } from './interruption.ts';
import { processLives, recordedAsActive } from './observe.ts';
import { recoverLocked } from './recover.ts';
import { settleExit } from './settle.ts';

/**
 * Finds a container, waits for other commands on it, and runs `work` with its present state while no other command can
 * change it. A container that has ended without cryopod noticing is settled first.
 * Errors: NO_SUCH_CONTAINER, AMBIGUOUS_ID, BUSY, INTERRUPTED.
 */
export async function withContainer<T>(
  ctx: EngineContext,
  nameOrId: string,
  operation: string,
  work: (container: Container) => Promise<T>,
): Promise<T> {
  const { id } = findContainer(ctx.db, nameOrId).config;
  const locked = withLock(
    ctx.db,
    `container ${id}`,
    operation,
    async () => {
      // Who held the lock before may have died with what a settled end would spoil.
      await repairBefore(ctx, id, operation);
      // Who waited for its removal is told of it by the name that was asked for.
      const recorded = containerById(ctx.db, id) ?? failNoContainer(nameOrId);
      const ended = recordedAsActive(recorded) && !processLives(recorded);
      return await work(ended ? await settleExit(ctx, recorded) : recorded);
    },
    ctx.lockTimeout,
    ctx.signal,
  );
  return await locked.catch((error: unknown) => {
    throw interruptedOr(ctx, error);
  });
}

/** What cannot be repaired can still be removed. */
async function repairBefore(ctx: EngineContext, id: string, operation: string): Promise<void> {
  try {
    await recoverLocked(ctx, id);
  } catch (error) {
    if (operation !== 'remove') throw error;
    logWarning(`${id} is removed as it is, since it could not be recovered: ${messageOf(error)}`);
  }
}
