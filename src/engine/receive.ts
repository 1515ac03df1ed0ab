import type { Container } from '../model/container.ts';
import { fail, messageOf } from '../model/errors.ts';
import { advanceArrival, arrivalOf, beginArrival } from '../state/arrivals.ts';
import { monotonicMicroseconds } from '../system/clock.ts';
import { faultPoint } from '../system/faults.ts';
import { logWarning } from '../system/log.ts';
import { hostPageBytes } from '../system/page-size.ts';
import type { MessageOf } from '../wire/messages.ts';
import { openWire, type Wire, type WireEnds } from '../wire/wire.ts';
import { withScratch } from './checkpoint-view/scratch.ts';
import type { EngineContext } from './context.ts';
import { type ImportChoice, settleAddresses, thawArchive } from './import.ts';
import { CHANNEL } from './migrate/channels.ts';
import { takeImage } from './migrate/image-parts.ts';
import { lazyArrival } from './migrate/lazy-arrival.ts';
import { answerProbe } from './migrate/link-speed.ts';
import { expectMessage, failureMessage, sayHello } from './migrate/peer.ts';
import { lookAtRequest } from './migrate/preflight.ts';
import { answerSettle } from './migrate/settle-arrival.ts';
import { takeContainer } from './migrate/take-members.ts';
import type { Arrival, Arrived } from './migrate/types.ts';
import { announceAddress } from './network/hand-over.ts';
import { errorInOwnWords } from './plan/migrate/own-words.ts';

export interface ReceiveOptions {
  readonly ends: WireEnds;
  /** What a container asks for of this host is granted. */
  readonly trust: boolean;
}

/** Names the source in errors, which go back to it. */
const SOURCE = 'the source';

/**
 * The other side of a migration: takes in one container from a two-way stream, or tells what became of an earlier one.
 * All that comes is hostile input. Nothing runs here before the source has given the container away, and whatever fails
 * before leaves nothing; what comes after is recorded under the move's token. Ends when the stream has served. Errors,
 * which the source has been told of: those of an import, of the wire.
 */
export async function receiveContainer(ctx: EngineContext, options: ReceiveOptions): Promise<void> {
  const wire = openWire(options.ends, { signal: ctx.signal });
  try {
    await sayHello(wire, SOURCE);
    const message = await expectMessage(wire, SOURCE, 'request', 'settle');
    if (message.type === 'settle') await answerSettle(ctx, wire, message.token);
    else await takeIn(ctx, wire, message, options);
  } catch (error) {
    await wire.send(failureMessage(errorInOwnWords(error))).catch(() => undefined);
    throw error;
  } finally {
    wire.close();
  }
}

async function takeIn(
  ctx: EngineContext,
  wire: Wire,
  request: MessageOf<'request'>,
  { trust }: ReceiveOptions,
): Promise<void> {
  wire.setPatience(request.patience);
  await withScratch(ctx.store, async (directory) => {
    const asked = choiceOf(request, trust);
    const { choice, lacking, lazy } = await lookAtRequest(ctx, { wire, request, directory, choice: asked });
    faultPoint('receive.asked');
    if (request.look) return;
    await answerProbe(wire, SOURCE);
    if (lacking !== undefined) await takeImage(ctx, { wire, from: SOURCE, directory, wanted: lacking });
    const begin = await expectMessage(wire, SOURCE, 'begin');
    const isLarge = request.bytes.memory >= LAZY_BYTES;
    const arrival: Arrival = { ctx, wire, request, directory, choice: { ...choice, lazy: lazy && isLarge } };
    const arrived = await takeContainer(arrival, begin);
    faultPoint('receive.taken');
    await settleIn(arrival, arrived);
  });
}

/**
 * Bytes of memory from which on a container runs here while CRIU still reads them from the disk, for which it would stand still
 * otherwise. Not where they came in rounds: CRIU's server of pages knows no parents (docs/decisions/0058).
 */
const LAZY_BYTES = 256 << 20;

const choiceOf = ({ name, options }: MessageOf<'request'>, trust: boolean): ImportChoice => ({
  ...options,
  name,
  trust,
  keep: false,
  tcpClose: false,
  ignoreStaticIp: false,
  ignoreStaticMac: false,
  ignoreRootfs: false,
  ignoreVolumes: false,
});

/** The hand-over: from what has come to processes that run, or to nothing. */
async function settleIn(arrival: Arrival, { archive, lazy }: Arrived): Promise<void> {
  const { ctx, wire, request } = arrival;
  const { token } = request;
  const choice = await settleAddresses(ctx, archive.view, arrival.choice);
  // A signal from the source's end must not stop what is this host's.
  const undoing = new AbortController();
  const stop = (): void => undoing.abort(ctx.signal.reason);
  ctx.signal.addEventListener('abort', stop);
  const memory = lazy ? lazyArrival(wire.channel(CHANNEL.pages), hostPageBytes()) : undefined;
  memory?.signal.addEventListener('abort', () => undoing.abort(memory.signal.reason));
  let committedAt = 0;
  try {
    await thawArchive(
      { ...ctx, signal: undoing.signal },
      archive,
      { ...choice, lazy: lazy || (choice.lazy === true && !archive.buildsOn) },
      {
        journal: { token, ...(lazy ? { lazy } : {}) },
        beforeThaw: async ({ config }) => {
          await takeOver(wire, ctx, token, config.id);
          ctx.signal.removeEventListener('abort', stop);
          committedAt = monotonicMicroseconds();
        },
        memory: memory && {
          start: memory.start,
          whole: async (container) => {
            await tellRunning(arrival, container, monotonicMicroseconds() - committedAt);
            await memory.finish();
            faultPoint('receive.whole');
          },
        },
        afterThaw: async (container) => {
          advanceArrival(ctx.db, token, 'committed', 'running');
          faultPoint('receive.running');
          if (!lazy) await tellRunning(arrival, container, monotonicMicroseconds() - committedAt);
          // Whether the source hears it does not matter any more.
          else await wire.send({ type: 'complete' }).catch(() => undefined);
        },
      },
    );
  } catch (error) {
    const stage = arrivalOf(ctx.db, token)?.stage;
    if (stage === 'running') {
      // The next command of cryopod completes what is left to do.
      logWarning(messageOf(error));
      return;
    }
    advanceArrival(ctx.db, token, 'prepared', 'aborted');
    advanceArrival(ctx.db, token, 'committed', 'failed', messageOf(errorInOwnWords(error)));
    throw error;
  } finally {
    ctx.signal.removeEventListener('abort', stop);
  }
}

/** Says that all is here and waits for the word that makes it this host's. What it throws leaves nothing. */
async function takeOver(wire: Wire, ctx: EngineContext, token: string, id: string): Promise<void> {
  if (!beginArrival(ctx.db, token, id, 'prepared')) {
    fail('MIGRATION_REFUSED', { message: 'a move with this token has been here before' });
  }
  faultPoint('receive.prepared');
  await wire.send({ type: 'prepared' });
  faultPoint('receive.told');
  await whileExpected(ctx, token, () => expectMessage(wire, SOURCE, 'commit'));
  if (!advanceArrival(ctx.db, token, 'prepared', 'committed')) {
    fail('MIGRATION_REFUSED', { message: 'the source has taken the container back meanwhile' });
  }
  faultPoint('receive.committed');
}

/** Milliseconds between looks at what the source may have decided in another stream, this one being dead. */
const LOOK_MS = 1000;

/** Waits for the source's word, or until it has taken the container back. */
async function whileExpected(ctx: EngineContext, token: string, work: () => Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const takenBack = new Promise<void>((resolve) => {
    timer = setInterval(() => {
      if (arrivalOf(ctx.db, token)?.stage !== 'prepared') resolve();
    }, LOOK_MS);
  });
  try {
    await Promise.race([work(), takenBack]);
  } finally {
    clearInterval(timer);
  }
}

async function tellRunning({ ctx, wire }: Arrival, container: Container, micros: number): Promise<void> {
  // Its peers find it a little later then.
  await announceAddress(ctx, container).catch((error: unknown) => logWarning(messageOf(error)));
  await wire.send({ type: 'running', id: container.config.id, micros }).catch(() => undefined);
}
