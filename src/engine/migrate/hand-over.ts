import { mkdir } from 'node:fs/promises';
import { basename } from 'node:path';
import type { HandedOver } from '../../model/container.ts';
import { fail, isCryopodError, messageOf } from '../../model/errors.ts';
import { amendOperation, beginOperation } from '../../state/journal.ts';
import { undoOnFailure } from '../../system/cleanup.ts';
import { monotonicMicroseconds, timestamp } from '../../system/clock.ts';
import { tempBeside } from '../../system/durable.ts';
import { faultPoint } from '../../system/faults.ts';
import { logInfo } from '../../system/log.ts';
import { checkpointDirectory } from '../../system/store-paths.ts';
import { removeImages } from '../export-images.ts';
import { withLinkRemaps } from '../export-links.ts';
import { endUnlessFrozen, goesOn, told, whileFrozen } from '../frozen.ts';
import { giveAddressBack, takeAddressAway } from '../network/hand-over.ts';
import { endMoved } from './depart-end.ts';
import { keepHere } from './keep-here.ts';
import { expectMessage, heardOut, printable } from './peer.ts';
import type { Departure } from './types.ts';
import { restoreCommand, settleHint } from './words.ts';

/** What a mode finds of the frozen container. */
export interface Frozen {
  /** Existing, empty directory for CRIU's images; gone afterwards. */
  readonly images: string;
  /** To be called after the dump and before files are read (see {@link withLinkRemaps}). */
  readonly makeLinks: () => Promise<void>;
}

export interface HandOverChoice {
  /**
   * The processes run at the target, which still needs the frozen ones here: returns when it does not any more. What it
   * throws is a broken link; the target is then asked, and where it has given up, its checkpoint is made here.
   */
  readonly untilComplete?: (() => Promise<void>) | undefined;
}

/** What became of a container that was given away. */
type Fate =
  | { readonly kind: 'there' }
  | { readonly kind: 'here'; readonly why: string; readonly ranThere: boolean }
  | { readonly kind: 'doubt'; readonly why: string };

/**
 * Freezes a container, lets `send` send what the target lacks, and gives it away in two phases: the target has all of it on
 * disk before this side notes durably that it is no longer its own, and only then may the target let it run. It is gone from
 * here once the target has said that it runs. Gives the microseconds in which it ran nowhere. Errors: those of `send`, of
 * the wire, MIGRATION_FAILED: it goes on here, or its complete checkpoint is here; IN_DOUBT: its complete checkpoint is here
 * and must not be used before the target has been asked.
 */
export async function handOver(
  departure: Departure,
  send: (frozen: Frozen) => Promise<void>,
  { untilComplete }: HandOverChoice = {},
): Promise<number> {
  const { ctx, container, options } = departure;
  const { id } = container.config;
  const images = tempBeside(checkpointDirectory(ctx.store, id));
  const entry = beginOperation(ctx.db, 'migrate', id, { images: basename(images) });
  const { downtime, fate } = await undoOnFailure(async (cleanup) => {
    cleanup.add('settle the migration', () => endUnlessFrozen(ctx, container, entry));
    faultPoint('migrate.journalled');
    const choice = { leaveRunning: false, tcpEstablished: options.tcpEstablished };
    return await whileFrozen(ctx, container, choice, async () => {
      const frozen = monotonicMicroseconds();
      ctx.progress({ phase: 'freeze', subject: container.config.name });
      await heardOut(departure.wire, departure.to, () => sendFrozen(departure, { images, entry }, send));
      return await giveAway(departure, { entry, frozen, untilComplete });
    });
  }).catch((error: unknown) => {
    throw goesOn(ctx, container, error, 'MIGRATION_FAILED');
  });
  if (fate.kind === 'there') await endThere(departure, entry);
  else await endHere(departure, entry, fate);
  return downtime;
}

async function sendFrozen(
  { ctx, container }: Departure,
  { images, entry }: { readonly images: string; readonly entry: number },
  send: (frozen: Frozen) => Promise<void>,
): Promise<void> {
  try {
    await mkdir(images, { mode: 0o700 });
    const choice = { images, entry, leaveRunning: true };
    await withLinkRemaps(ctx, container, choice, (makeLinks) => send({ images, makeLinks }));
  } finally {
    await removeImages(images);
  }
  faultPoint('migrate.sent');
}

interface GivenAway {
  /** Microseconds. */
  readonly downtime: number;
  readonly fate: Fate;
}

interface Giving extends HandOverChoice {
  readonly entry: number;
  /** When it was frozen, in microseconds. */
  readonly frozen: number;
}

/** From the last byte to the target's word. What it throws lets the container go on here. */
async function giveAway(departure: Departure, { entry, frozen, untilComplete }: Giving): Promise<GivenAway> {
  const { ctx, container, wire, to } = departure;
  await heardOut(wire, to, () => expectMessage(wire, to, 'prepared'));
  faultPoint('migrate.prepared');
  try {
    await takeAddressAway(ctx, container);
    ctx.signal.throwIfAborted();
    departure.pastReturn();
    amendOperation(ctx.db, entry, { handedOver: handedOverOf(departure) });
  } catch (error) {
    await giveAddressBack(ctx, container);
    throw error;
  }
  const { fate, downtime } = await commit(departure, { frozen, untilComplete });
  if (fate.kind === 'here' && !fate.ranThere) {
    await giveAddressBack(ctx, container);
    amendOperation(ctx.db, entry, { handedOver: null });
    fail('MIGRATION_FAILED', { message: `${container.config.name} was not moved to ${to}: ${fate.why}` });
  }
  return { downtime, fate };
}

/** The point of no return is behind it: only the target knows. Never throws. */
async function commit(
  departure: Departure,
  { frozen, untilComplete }: Omit<Giving, 'entry'>,
): Promise<GivenAway> {
  const { wire, to } = departure;
  let downtime: number | undefined;
  const fateOf = async (): Promise<Fate> => {
    try {
      departure.ctx.progress({ phase: 'thaw there', subject: departure.container.config.name });
      faultPoint('migrate.handed-over');
      await wire.send({ type: 'commit' });
      faultPoint('migrate.committed');
      await expectMessage(wire, to, 'running');
      downtime = monotonicMicroseconds() - frozen;
      faultPoint('migrate.arrived');
      await untilComplete?.();
      return { kind: 'there' };
    } catch (error) {
      return await askedFate(departure, error, downtime !== undefined);
    }
  };
  const fate = await fateOf();
  return { fate, downtime: downtime ?? monotonicMicroseconds() - frozen };
}

/** The target's own record counts, whatever came over the first stream. */
async function askedFate(departure: Departure, first: unknown, ranThere: boolean): Promise<Fate> {
  const { ctx, container, to } = departure;
  ctx.progress({ phase: 'ask what became of it', subject: container.config.name });
  try {
    const { outcome, message } = await departure.ask();
    if (outcome === 'running') return { kind: 'there' };
    const isFailure = outcome === 'failed' && message !== undefined;
    return { kind: 'here', why: isFailure ? `${to}: ${printable(message)}` : messageOf(first), ranThere };
  } catch (error) {
    logInfo(`${to} could not be asked: ${messageOf(error)}`);
    return { kind: 'doubt', why: messageOf(isCryopodError(error) ? error : first) };
  }
}

const handedOverOf = ({ container: _, to, token, command, options }: Departure): HandedOver => ({
  to,
  token,
  command,
  since: timestamp(),
  keepSource: options.keepSource,
  tcpEstablished: options.tcpEstablished,
  fileLocks: options.fileLocks,
});

async function endThere({ ctx, container, to, options }: Departure, entry: number): Promise<void> {
  const { name } = container.config;
  try {
    await endMoved(ctx, container, { entry, to, keepSource: options.keepSource });
  } catch (error) {
    throw told(
      error,
      `${name} runs at ${to}, and was to be removed here; the next command of cryopod completes that`,
      'MIGRATION_FAILED',
    );
  }
}

/** Nothing of it may run here: its frozen processes become a checkpoint. */
async function endHere(
  departure: Departure,
  entry: number,
  fate: Fate & { kind: 'here' | 'doubt' },
): Promise<never> {
  const { ctx, container, to } = departure;
  const { name } = container.config;
  const isDoubtful = fate.kind === 'doubt';
  const doubt = isDoubtful ? handedOverOf(departure) : undefined;
  if (!isDoubtful) amendOperation(ctx.db, entry, { givenUp: true });
  faultPoint('migrate.doubtful');
  try {
    await keepHere(ctx, container, { entry, doubt, options: departure.options });
  } catch (error) {
    throw told(
      error,
      `${name} stays frozen in memory, since its checkpoint could not be written; the next command of cryopod tries again`,
      'MIGRATION_FAILED',
    );
  }
  if (!isDoubtful) {
    return fail('MIGRATION_FAILED', {
      message: `${name} was not moved to ${to}: ${fate.why}; it is stopped here with a complete checkpoint of the moment at which it was frozen`,
      hint: `Let it go on here: ${restoreCommand(container, departure.options)}`,
    });
  }
  return fail('IN_DOUBT', {
    message: `${name} was handed over to ${to}, which has not said whether it runs there: ${fate.why}; it is stopped here with a complete checkpoint`,
    hint: settleHint(name),
  });
}
