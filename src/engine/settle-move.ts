import type { Container, HandedOver } from '../model/container.ts';
import { fail, messageOf } from '../model/errors.ts';
import { updateState } from '../state/containers.ts';
import { beginOperation } from '../state/journal.ts';
import type { Outcome } from '../wire/messages.ts';
import type { EngineContext } from './context.ts';
import { askOutcome } from './migrate/conversation.ts';
import { endMoved } from './migrate/depart-end.ts';
import { printable } from './migrate/peer.ts';
import { settleHint } from './migrate/words.ts';
import { restoreContainer } from './restore.ts';
import { withContainer } from './with-container.ts';

export interface SettleMoveOptions {
  /** The other host is not asked: its copy is known to be dead. */
  readonly here: boolean;
}

export interface SettledMove {
  readonly input: string;
  readonly id: string;
  /** Where the container is. */
  readonly at: 'here' | 'there';
  readonly to: string;
  /** What the other host said, or that it was not asked. */
  readonly outcome: Outcome | 'not asked';
}

/**
 * Ends the doubt about a container that was handed over: the other host is asked; where it runs there, it is removed here,
 * and else it goes on here from its checkpoint. Errors: CONTAINER_STATE where nothing is in doubt; LINK_LOST, BUSY and the
 * like, and it stays in doubt; those of a restore, when it is no longer in doubt.
 */
export async function settleMove(
  ctx: EngineContext,
  nameOrId: string,
  { here }: SettleMoveOptions,
): Promise<SettledMove> {
  const settled = await withContainer(ctx, nameOrId, 'settle the migration', async (container) => {
    const doubt = container.state.handedOver ?? failNotInDoubt(container);
    const outcome: SettledMove['outcome'] = here ? 'not asked' : await ask(ctx, container, doubt);
    const result = { input: nameOrId, id: container.config.id, to: doubt.to, outcome };
    if (outcome === 'running') {
      const entry = beginOperation(ctx.db, 'migrate', container.config.id);
      await endMoved(ctx, container, { entry, to: doubt.to, keepSource: doubt.keepSource });
      return { ...result, at: 'there' as const, doubt, container };
    }
    updateState(ctx.db, container.config.id, { handedOver: undefined, error: undefined });
    return { ...result, at: 'here' as const, doubt, container };
  });
  const { doubt, container, ...result } = settled;
  if (result.at === 'here') await goOnHere(ctx, container, doubt);
  return result;
}

const failNotInDoubt = ({ config: { name } }: Container): never =>
  fail('CONTAINER_STATE', { message: `${name} was not handed over to another host, or that is settled` });

async function ask(ctx: EngineContext, { config }: Container, doubt: HandedOver): Promise<Outcome> {
  const { to, command, token } = doubt;
  try {
    const { outcome, message } = await askOutcome({ to, command, signal: ctx.signal }, token);
    if (message !== undefined) ctx.progress({ phase: printable(message), subject: config.name, done: true });
    return outcome;
  } catch (error) {
    return fail('IN_DOUBT', {
      message: `${to} could not be asked about ${config.name}, which stays in doubt: ${messageOf(error)}`,
      hint: settleHint(config.name),
      cause: error,
    });
  }
}

async function goOnHere(
  ctx: EngineContext,
  container: Container,
  { tcpEstablished, fileLocks }: HandedOver,
): Promise<void> {
  const { config, state } = container;
  if (!state.checkpointed) {
    fail('RESTORE_REFUSED', {
      message: `${config.name} does not run at the other host, and its memory was lost here before it could be saved`,
      hint: `Start it anew: cryopod start ${config.name}`,
    });
  }
  await restoreContainer(ctx, config.id, {
    keep: false,
    tcpEstablished,
    tcpClose: false,
    fileLocks,
    ignoreStaticIp: false,
    ignoreStaticMac: false,
  });
}
