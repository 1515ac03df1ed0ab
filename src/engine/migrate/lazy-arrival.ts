import { closeSync } from 'node:fs';
import { forgetLazyPages, lazyPagesSocket, noteLazyPagesWhole } from '../../criu/lazy-pages.ts';
import { lazyRanges } from '../../criu/pages/lazy-ranges.ts';
import { type Provider, startProvider } from '../../criu/pages/provider.ts';
import type { Container, ProcessIdentity } from '../../model/container.ts';
import { CryopodError, fail, messageOf } from '../../model/errors.ts';
import { containerById, updateState } from '../../state/containers.ts';
import { thisProcess } from '../../state/owner.ts';
import { descriptorStore, listenAt } from '../../system/descriptor-passing.ts';
import { faultPoint } from '../../system/faults.ts';
import { makeSocketPair } from '../../system/libc.ts';
import { logWarning } from '../../system/log.ts';
import { bundleDirectory, checkpointDirectory } from '../../system/store-paths.ts';
import { providedMemory } from '../../system/userfault.ts';
import { type PageTaker, takePages } from '../../wire/pages.ts';
import type { Channel } from '../../wire/wire.ts';
import type { EngineContext } from '../context.ts';
import { endServer } from '../lazy-pages.ts';
import { killAll, startPagesServer } from '../pages-server.ts';

/** The memory of a container that runs here before it is here. */
export interface LazyArrival {
  /** Aborts when it will not come any more; the processes are killed then. */
  readonly signal: AbortSignal;
  /** Starts what provides the memory: for thaw. */
  readonly start: (ctx: EngineContext, container: Container) => Promise<void>;
  /** Returns once every page is in; fails when one will not come, and no process of the container runs then. */
  readonly finish: () => Promise<void>;
}

interface Feeding {
  readonly ctx: EngineContext;
  readonly container: Container;
  readonly taker: PageTaker;
  readonly keeper: Keeper;
  readonly provider: Provider;
}

/** `channel`: on it the source gives the pages (frozen-memory.ts). */
export function lazyArrival(channel: Channel, pageBytes: number): LazyArrival {
  const broken = new AbortController();
  let feeding: Feeding | undefined;
  return {
    signal: broken.signal,
    start: async (ctx, container) => {
      const { id } = container.config;
      const work = bundleDirectory(ctx.store, id);
      const taker = takePages(channel, pageBytes);
      await forgetLazyPages(work);
      const keeper = await startKeeper();
      updateState(ctx.db, id, { pages: { watcher: thisProcess(), server: keeper.identity } });
      faultPoint('receive.pages');
      const provider: Provider = startProvider({
        listener: await listenAt(lazyPagesSocket(work)),
        ranges: await lazyRanges(checkpointDirectory(ctx.store, id), pageBytes),
        pageBytes,
        memory: await providedMemory(),
        ask: (range, urgent) => {
          taker.ask({ ...range, urgent }).catch((error: unknown) => provider.fail(error));
        },
        keep: keeper.keep,
      });
      feeding = { ctx, container, taker, keeper, provider };
      hear(taker, provider).catch(provider.fail);
      provider.whole.catch(async (error: unknown) => {
        broken.abort(error);
        // finish() tries again, and tells.
        await killNow(ctx, container).catch((failure: unknown) => logWarning(messageOf(failure)));
      });
    },
    finish: async () => {
      if (feeding === undefined) return fail('INTERNAL', { message: 'no memory was to come' });
      await finish(feeding);
    },
  };
}

/** Settles when the source of the pages ends, which is a failure while any are missing. */
async function hear(taker: PageTaker, provider: Provider): Promise<void> {
  for (let answer = await taker.next(); answer !== undefined; answer = await taker.next()) {
    provider.arrived(answer.range, answer.bytes);
  }
}

interface Keeper {
  readonly identity: ProcessIdentity;
  readonly keep: (descriptor: number) => void;
  /** Lets go of all. */
  readonly end: () => void;
}

/** It has the far end of the socket; 2^31 - 1 seconds are enough. */
const KEEPER = ['sleep', '2147483647'];

/**
 * A process that does nothing but hold what it is given: when this process dies, who waits for memory waits on, instead of
 * reading zeros, until it has been ended.
 */
async function startKeeper(): Promise<Keeper> {
  const [end, own] = await makeSocketPair();
  // First, so that nothing lies between its start and its record: one that is killed there leaves the keeper to nobody.
  const { put } = await descriptorStore(own);
  const keeper = startPagesServer(KEEPER, [end, own]);
  closeSync(end);
  return {
    identity: keeper.identity,
    keep: put,
    end: () => {
      endServer(keeper.identity);
      closeSync(own);
    },
  };
}

/** While anything provides its memory, processes that touch what is missing wait: they end first. */
async function killNow(ctx: EngineContext, { config }: Container): Promise<void> {
  const now = containerById(ctx.db, config.id);
  if (now !== undefined) await killAll(ctx, now);
}

async function finish({ ctx, container, taker, keeper, provider }: Feeding): Promise<void> {
  const { id, name } = container.config;
  const work = bundleDirectory(ctx.store, id);
  const letGo = (): void => {
    provider.close();
    keeper.end();
  };
  try {
    await provider.whole;
  } catch (error) {
    await killNow(ctx, container);
    letGo();
    throw new CryopodError('RESTORE_FAILED', {
      message: `not all memory of ${name} came: ${messageOf(error)}`,
      cause: error,
    });
  }
  await noteLazyPagesWhole(work);
  letGo();
  // Where the link has broken only now, the source will ask.
  await taker.end().catch(() => undefined);
  updateState(ctx.db, id, { pages: undefined });
  await forgetLazyPages(work);
}
