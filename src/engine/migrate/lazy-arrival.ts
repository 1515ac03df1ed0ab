import { closeSync } from 'node:fs';
import { forgetLazyPages, lazyPagesCommand, lazyPagesWhole } from '../../criu/lazy-pages.ts';
import { lazyRanges } from '../../criu/pages/lazy-ranges.ts';
import { pageProtocol } from '../../criu/pages/protocol.ts';
import { servePages } from '../../criu/pages/serve.ts';
import { requireCriu } from '../../criu/probe.ts';
import type { Container } from '../../model/container.ts';
import { CryopodError, fail, messageOf } from '../../model/errors.ts';
import { containerById, updateState } from '../../state/containers.ts';
import { thisProcess } from '../../state/owner.ts';
import { type DescriptorStream, streamOf } from '../../system/descriptor-stream.ts';
import { faultPoint } from '../../system/faults.ts';
import { makeSocketPair } from '../../system/libc.ts';
import { logWarning } from '../../system/log.ts';
import { bundleDirectory, checkpointDirectory } from '../../system/store-paths.ts';
import { type PageTaker, takePages } from '../../wire/pages.ts';
import type { Channel } from '../../wire/wire.ts';
import type { EngineContext } from '../context.ts';
import { criuProbe } from '../criu-probe.ts';
import { endWaitingServer } from '../lazy-pages.ts';
import { holdServed, killAll, type PagesServer, startPagesServer, untilServing } from '../pages-server.ts';
import { remotePages } from './remote-pages.ts';

/** The descriptor of CRIU's server on which it asks for pages. */
const SERVER_END = 3;

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
  readonly server: PagesServer;
  readonly client: DescriptorStream;
  /** Lets the processes read zeros where memory is missing. */
  readonly held: Promise<() => void>;
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
      const images = checkpointDirectory(ctx.store, id);
      const { path: criu, version } = requireCriu(await criuProbe(ctx));
      const taker = takePages(channel, pageBytes);
      const pages = remotePages(taker, await lazyRanges(images, pageBytes), pageBytes);
      await forgetLazyPages(work);
      const { server, client } = await startServer({ criu, images, work });
      const held = holdServed(server);
      feeding = { ctx, container, taker, server, client, held };
      updateState(ctx.db, id, { pages: { watcher: thisProcess(), server: server.identity } });
      faultPoint('receive.pages');
      await untilServing(server, work);
      const protocol = pageProtocol(version, pageBytes);
      const serving = servePages(client, { protocol, pageBytes, source: pages.source });
      Promise.all([serving, pages.ended]).catch(async (error: unknown) => {
        if (server.hasEnded()) return;
        broken.abort(error);
        const ending = giveUp({ ctx, container, server });
        // finish() tries again, and tells.
        await ending.catch((failure: unknown) => logWarning(messageOf(failure)));
      });
      pages.source.start();
    },
    finish: async () => {
      if (feeding === undefined) return fail('INTERNAL', { message: 'no memory was to come' });
      await finish(feeding, broken.signal);
    },
  };
}

/**
 * CRIU and the shell above it get both ends of the socket: when this process dies, the server does not meet the end of it,
 * which would end it as well, and who waits for pages waits on.
 */
async function startServer(request: {
  readonly criu: string;
  readonly images: string;
  readonly work: string;
}): Promise<Pick<Feeding, 'server' | 'client'>> {
  const [end, own] = await makeSocketPair();
  const server = startPagesServer(lazyPagesCommand({ ...request, socket: SERVER_END }), [end, own]);
  closeSync(end);
  return { server, client: streamOf(own) };
}

/**
 * While the server lives, processes that touch what is missing wait: they end first. Those of a thaw that is not over are the
 * thaw's own to end.
 */
async function giveUp({
  ctx,
  container: { config },
  server,
}: Pick<Feeding, 'ctx' | 'container' | 'server'>): Promise<void> {
  const now = containerById(ctx.db, config.id);
  if (now !== undefined) await killAll(ctx, now);
  endWaitingServer(server.identity, bundleDirectory(ctx.store, config.id));
}

async function finish(
  { ctx, container, taker, server, client, held }: Feeding,
  broken: AbortSignal,
): Promise<void> {
  const { id, name } = container.config;
  const work = bundleDirectory(ctx.store, id);
  const release = await held;
  client.close();
  // A server whose processes were killed ends as one that has given all.
  if (!broken.aborted && lazyPagesWhole(work)) {
    release();
    // Where the link has broken only now, the source will ask.
    await taker.end().catch(() => undefined);
    updateState(ctx.db, id, { pages: undefined });
    await forgetLazyPages(work);
    return;
  }
  await giveUp({ ctx, container, server });
  release();
  throw new CryopodError('RESTORE_FAILED', {
    message: broken.aborted
      ? `not all memory of ${name} came: ${messageOf(broken.reason)}`
      : `not all memory of ${name} came: CRIU's server of pages ended early`,
    cause: broken.aborted ? broken.reason : undefined,
  });
}
