import type { DescriptorStream } from '../../system/descriptor-stream.ts';
import { CLOSED, type PageCommand, type PageProtocol, type PageRange } from './protocol.ts';

/** Where pages come from. */
export interface PageSource {
  /** These pages will be read soon, after those that were announced before. */
  readonly announce: (range: PageRange) => void;
  /** Pages from the range's first on, at least one of them and at most all, whole. */
  readonly read: (range: PageRange) => Promise<readonly Buffer[]>;
}

export interface PageService {
  readonly protocol: PageProtocol;
  readonly pageBytes: number;
  readonly source: PageSource;
}

type Client = Pick<DescriptorStream, 'read' | 'write'>;

/**
 * Gives CRIU's server of pages (criu lazy-pages --page-server) at the other end of a socket the pages that it asks for. It
 * takes answers only in the order of its questions, but less than it asked for (criu/page-xfer.c page_server_read): so an
 * answer waits for its first page alone, and a page that a process waits for is not held up by a long stretch before it.
 * Returns when CRIU has parted. Fails when the source does, or with the system's error; the client is told nothing then,
 * since CRIU would end and let the processes read zeros.
 */
export async function servePages(client: Client, service: PageService): Promise<void> {
  const { protocol, pageBytes, source } = service;
  for await (const command of commandsOf(client, service)) {
    if (command.kind === 'close') return await client.write(CLOSED);
    const found = await source.read(command);
    const bytes = found.reduce((sum, { length }) => sum + length, 0);
    await client.write(Buffer.concat([protocol.answer({ ...command, pages: bytes / pageBytes }), ...found]));
  }
}

/** Commands as they come; each is announced at once, also while an earlier one waits for its pages. */
async function* commandsOf(client: Client, { protocol, source }: PageService): AsyncGenerator<PageCommand> {
  const waiting: PageCommand[] = [];
  let wake: (() => void) | undefined;
  let ended = false;
  const listen = async (): Promise<void> => {
    let rest: Buffer = Buffer.alloc(0);
    for (let bytes = await client.read(); bytes !== undefined; bytes = await client.read()) {
      rest = Buffer.concat([rest, bytes]);
      for (; rest.length >= protocol.headerBytes; rest = rest.subarray(protocol.headerBytes)) {
        const command = protocol.parse(rest);
        if (command.kind === 'get') source.announce(command);
        waiting.push(command);
        // It waits for the answer, and then for nothing.
        if (command.kind === 'close') return;
      }
      wake?.();
    }
  };
  const listening = listen().finally(() => {
    ended = true;
    wake?.();
  });
  listening.catch(() => undefined);
  for (;;) {
    const next = waiting.shift();
    if (next !== undefined) yield next;
    else if (ended) return await listening;
    else
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  }
}
