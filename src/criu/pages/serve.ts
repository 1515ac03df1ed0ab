import type { Socket } from 'node:net';
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

/**
 * Gives CRIU's server of pages (criu lazy-pages --page-server) at the other end of `socket` the pages that it asks for. It
 * takes answers only in the order of its questions, but less than it asked for (criu/page-xfer.c page_server_read): so an
 * answer waits for its first page alone, and a page that a process waits for is not held up by a long stretch before it.
 * Returns when CRIU has parted. Fails when the source does, or with the system's error; the socket stays open then, since
 * CRIU would end and let the processes read zeros.
 */
export async function servePages(
  socket: Socket,
  { protocol, pageBytes, source }: PageService,
): Promise<void> {
  for await (const command of commandsOf(socket, protocol, source)) {
    if (command.kind === 'close') {
      socket.end(CLOSED);
      return;
    }
    const found = await source.read(command);
    const bytes = found.reduce((sum, { length }) => sum + length, 0);
    socket.cork();
    socket.write(protocol.answer({ ...command, pages: bytes / pageBytes }));
    for (const part of found) socket.write(part);
    socket.uncork();
  }
}

/** Commands as they come; each is announced at once, also while an earlier one waits for its pages. */
async function* commandsOf(
  socket: Socket,
  protocol: PageProtocol,
  source: PageSource,
): AsyncGenerator<PageCommand> {
  const waiting: PageCommand[] = [];
  let rest: Buffer = Buffer.alloc(0);
  let wake: (() => void) | undefined;
  let ended: { readonly error?: Error } | undefined;
  const notify = (): void => {
    wake?.();
    wake = undefined;
  };
  const end = (error?: Error): void => {
    ended ??= error === undefined ? {} : { error };
    notify();
  };
  socket.on('data', (chunk: Buffer) => {
    try {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      for (; rest.length >= protocol.headerBytes; rest = rest.subarray(protocol.headerBytes)) {
        const command = protocol.parse(rest);
        if (command.kind === 'get') source.announce(command);
        waiting.push(command);
      }
      notify();
    } catch (error) {
      end(error as Error);
    }
  });
  socket.once('end', () => end());
  socket.once('error', end);
  for (;;) {
    const next = waiting.shift();
    if (next !== undefined) yield next;
    else if (ended?.error !== undefined) throw ended.error;
    else if (ended !== undefined) return;
    else
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  }
}
