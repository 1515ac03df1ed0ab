import type { Container } from '../model/container.ts';
import { monotonicMicroseconds } from '../system/clock.ts';
import { linkCommand } from '../wire/link.ts';
import type { MoveMode } from '../wire/messages.ts';
import type { EngineContext } from './context.ts';
import { goesOn, isFrozen } from './frozen.ts';
import { untilPagesAreIn } from './lazy-pages.ts';
import { askPatiently } from './migrate/ask.ts';
import { chooseMode } from './migrate/choose.ts';
import { departCold } from './migrate/cold.ts';
import { type Conversation, converse } from './migrate/conversation.ts';
import { sendImage } from './migrate/image-parts.ts';
import { measureLink } from './migrate/link-speed.ts';
import { foundHere, type LookedAt, lookAtMove } from './migrate/look.ts';
import { choosePacking } from './migrate/packing.ts';
import { failureMessage } from './migrate/peer.ts';
import { departPostCopy } from './migrate/post-copy.ts';
import { departPreCopy } from './migrate/pre-copy.ts';
import { migrateFacts } from './migrate/request.ts';
import type { Departure, DepartureMode, MigrateOptions, MoveFigures } from './migrate/types.ts';
import { errorInOwnWords } from './plan/migrate/own-words.ts';
import { areWorthRounds } from './plan/migrate/rounds.ts';
import { refuseObstacles } from './plan/preflight/finding.ts';
import type { Preflight } from './preflight/checkpoint.ts';
import { withContainer } from './with-container.ts';

export interface MigrateResult extends MoveFigures {
  /** The name or ID that the user gave. */
  readonly input: string;
  readonly id: string;
  readonly to: string;
  readonly mode: MoveMode;
  /** Why this mode: one sentence without its full stop. */
  readonly why: string;
  /** Microseconds. */
  readonly duration: number;
  /** Over the link, frames included. */
  readonly bytesSent: number;
}

const MODES: Readonly<Record<MoveMode, DepartureMode>> = {
  cold: departCold,
  'pre-copy': departPreCopy,
  'post-copy': departPostCopy,
};

/**
 * Moves a running container to another host: it is gone from here once it runs there. Errors: CHECKPOINT_REFUSED,
 * MIGRATION_REFUSED and what the target refuses, before anything is frozen; LINK_LOST, PEER_INVALID, MIGRATION_FAILED, and
 * it goes on here, unless the message tells of a checkpoint; IN_DOUBT.
 */
export async function migrateContainer(
  ctx: EngineContext,
  nameOrId: string,
  options: MigrateOptions,
): Promise<MigrateResult> {
  const begun = monotonicMicroseconds();
  await untilPagesAreIn(ctx, nameOrId);
  return await withContainer(ctx, nameOrId, 'migrate', async (container) => {
    const facts = await migrateFacts(ctx, container);
    refuseObstacles(foundHere(container, options, facts));
    ctx.progress({ phase: 'ask the target', subject: container.config.name });
    const leaving = inConversation(ctx, options, async (conversation) => {
      const look = { wire: conversation.wire, facts, to: linkOf(options).to, only: false };
      const looked = await lookAtMove(ctx, container, options, look);
      refuseObstacles([...looked.there, ...looked.here]);
      const departure = await prepareDeparture(ctx, container, options, { conversation, looked });
      const { mode, why } = await chooseMode(departure);
      // Before anything of the container: an image may be large.
      if (departure.target.lacksImage) await sendImage(departure);
      const { bytes, linkRate } = departure;
      const inRounds = mode === 'pre-copy' || areWorthRounds({ files: bytes.files, linkRate });
      await departure.wire.send({ type: 'begin', mode, rounds: inRounds });
      const figures = await MODES[mode]({ ...departure, inRounds });
      const { to, wire } = departure;
      const duration = monotonicMicroseconds() - begun;
      const { id } = container.config;
      return { ...figures, input: nameOrId, id, to, mode, why, duration, bytesSent: wire.sentBytes() };
    });
    try {
      return await leaving;
    } catch (error) {
      const told = errorInOwnWords(error);
      throw (await isFrozen(ctx, container)) ? told : goesOn(ctx, container, told, 'MIGRATION_FAILED');
    } finally {
      ctx.progress({ phase: 'migrate', subject: container.config.name, done: true });
    }
  });
}

/** Measures the link, and settles how to send. Errors: those of the link. */
async function prepareDeparture(
  ctx: EngineContext,
  container: Container,
  options: MigrateOptions,
  { conversation, looked }: { readonly conversation: Conversation; readonly looked: LookedAt },
): Promise<Omit<Departure, 'inRounds'>> {
  const link = linkOf(options);
  const { token, bytes, target } = looked;
  const linkRate = await linkSpeed(conversation, link.to, options);
  return {
    ...link,
    ctx,
    container,
    options,
    token,
    target,
    linkRate,
    wire: conversation.wire,
    packing: await choosePacking(options, container.state.pid, linkRate),
    bytes,
    pastReturn: conversation.pastReturn,
    ask: async () => {
      await conversation.close();
      return await askPatiently({ ...link, patience: options.timeout }, token);
    },
  };
}

const linkOf = ({ host, via }: Pick<MigrateOptions, 'host' | 'via'>) => ({
  command: linkCommand(host, via),
  to: host ?? 'the target',
});

async function inConversation<T>(
  ctx: EngineContext,
  options: MigrateOptions,
  work: (conversation: Conversation) => Promise<T>,
): Promise<T> {
  const { bwlimit, timeout: patience } = options;
  const conversation = await converse({ ...linkOf(options), bwlimit, patience, signal: ctx.signal });
  try {
    return await work(conversation);
  } catch (error) {
    // The target undoes what it did, and need not wait for the link's end.
    await conversation.wire.send(failureMessage(error)).catch(() => undefined);
    throw await conversation.explained(error);
  } finally {
    await conversation.close();
  }
}

/** Bytes a second; undefined where it was not measured and has no limit. */
async function linkSpeed(
  { wire }: Conversation,
  to: string,
  { mode, compress, bwlimit }: MigrateOptions,
): Promise<number | undefined> {
  const skip = mode !== 'auto' && compress !== 'auto';
  const rate = await measureLink(wire, to, { skip });
  return rate === undefined ? bwlimit : Math.min(rate, bwlimit ?? rate);
}

/** What both hosts say about a migration: here, then there. Nothing is frozen or created. Errors: those of the link. */
export async function migratePreflight(
  ctx: EngineContext,
  nameOrId: string,
  options: MigrateOptions,
): Promise<readonly Preflight[]> {
  return await withContainer(ctx, nameOrId, 'migrate', async (container: Container) => {
    const facts = await migrateFacts(ctx, container);
    const { to } = linkOf(options);
    if (container.state.status !== 'running') {
      return [{ input: nameOrId, findings: foundHere(container, options, facts) }];
    }
    return await inConversation(ctx, options, async ({ wire }) => {
      const { here, there } = await lookAtMove(ctx, container, options, { wire, facts, to, only: true });
      return [
        { input: nameOrId, findings: here },
        { input: `${nameOrId} at ${to}`, findings: there },
      ];
    });
  });
}
