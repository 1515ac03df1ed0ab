import { setTimeout as sleep } from 'node:timers/promises';
import { fail } from '../../model/errors.ts';
import { advanceArrival, arrivalOf, beginArrival } from '../../state/arrivals.ts';
import { containerById } from '../../state/containers.ts';
import { unfinishedOperations } from '../../state/journal.ts';
import { isAlive } from '../../system/procfs.ts';
import type { MessageOf } from '../../wire/messages.ts';
import type { Wire } from '../../wire/wire.ts';
import type { EngineContext } from '../context.ts';
import { recover } from '../recover.ts';

/** Milliseconds for the process that takes a container in to hear the word that is on its way. */
const WORD_LIMIT_MS = 3000;
/** Milliseconds for a thaw that is under way. */
const THAW_LIMIT_MS = 60_000;
const POLL_MS = 50;

/**
 * Tells the source what became of a move. One that has not been given to this host yet never will be, once it was asked
 * about; of one that is being thawed the end is waited for. Errors: BUSY.
 */
export async function answerSettle(ctx: EngineContext, wire: Wire, token: string): Promise<void> {
  await wire.send(await outcomeOf(ctx, token));
}

async function outcomeOf(ctx: EngineContext, token: string): Promise<MessageOf<'outcome'>> {
  if (beginArrival(ctx.db, token, '', 'aborted')) return { type: 'outcome', outcome: 'unknown' };
  const begun = performance.now();
  for (;;) {
    // Whoever worked on it may have died.
    if (unfinishedOperations(ctx.db).length > 0) await recover(ctx);
    const waited = performance.now() - begun;
    if (waited > WORD_LIMIT_MS) advanceArrival(ctx.db, token, 'prepared', 'aborted');
    const arrival = arrivalOf(ctx.db, token);
    switch (arrival?.stage) {
      case 'running':
        return { type: 'outcome', outcome: 'running' };
      case 'failed':
        return { type: 'outcome', outcome: 'failed', message: arrival.message };
      case undefined:
      case 'aborted':
        return { type: 'outcome', outcome: 'aborted' };
      default:
        endWaiting(ctx, arrival?.container);
        if (waited > THAW_LIMIT_MS) {
          fail('BUSY', {
            message: 'the container is still being thawed here',
            hint: 'Ask again in a moment.',
          });
        }
        await sleep(POLL_MS);
    }
  }
}

/**
 * A process that still waits for memory of the source waits in vain: who asks has given up the stream by which it would come.
 * It ends the container then.
 */
function endWaiting(ctx: EngineContext, id = ''): void {
  const watcher = containerById(ctx.db, id)?.state.pages?.watcher;
  if (watcher === undefined || watcher.pid === process.pid) return;
  if (!isAlive(watcher.pid, watcher.pidStart)) return;
  process.kill(watcher.pid, 'SIGTERM');
  // One that stands still would not hear it.
  process.kill(watcher.pid, 'SIGCONT');
}
