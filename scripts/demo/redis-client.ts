import { connect, type Socket } from 'node:net';

/** A reply of Redis: a number, a text, nothing, or a list of them. An error reply rejects or throws instead. */
export type Reply = number | string | null | readonly Reply[];

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

/** One connection that answers commands in order; `send` may be called again before the answer is in. */
export interface RedisClient {
  readonly socket: Socket;
  send(...words: readonly string[]): Promise<Reply>;
  close(): void;
}

/** Connects to a Redis server. The promise rejects if the server cannot be reached. */
export async function connectRedis(host: string, port: number): Promise<RedisClient> {
  const socket = connect({ host, port, noDelay: true });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once('connect', resolve).once('error', reject);
  await promise;
  return clientOf(socket);
}

function clientOf(socket: Socket): RedisClient {
  const waiting: Waiting[] = [];
  let input = Buffer.alloc(0);
  const end = (error: Error) => {
    for (const one of waiting.splice(0)) one.reject(error);
  };
  socket.removeAllListeners('error');
  socket.on('error', end);
  socket.on('close', () => end(new Error('the server closed the connection')));
  socket.on('data', (chunk) => {
    input = input.length === 0 ? chunk : Buffer.concat([input, chunk]);
    let offset = 0;
    for (let parsed = parse(input, offset); parsed !== undefined; parsed = parse(input, offset)) {
      offset = parsed.end;
      const one = waiting.shift();
      if (parsed.error === undefined) one?.resolve(parsed.reply);
      else one?.reject(new Error(parsed.error));
    }
    input = input.subarray(offset);
  });
  return {
    socket,
    send: (...words) => {
      const { promise, resolve, reject } = Promise.withResolvers<Reply>();
      if (socket.destroyed) reject(new Error('the connection is closed'));
      else {
        waiting.push({ resolve, reject });
        socket.write(encode(words));
      }
      return promise;
    },
    close: () => socket.destroy(),
  };
}

/** A command in the protocol of Redis (RESP): an array of length-prefixed strings. */
const encode = (words: readonly string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;

interface Parsed {
  readonly reply: Reply;
  readonly end: number;
  readonly error?: string;
}

/** One reply of RESP at `offset`, or undefined while it is not all there. */
function parse(input: Buffer, offset: number): Parsed | undefined {
  const lineEnd = input.indexOf('\r\n', offset);
  if (lineEnd < 0) return undefined;
  const head = input.toString('utf8', offset + 1, lineEnd);
  const end = lineEnd + 2;
  switch (input.toString('latin1', offset, offset + 1)) {
    case '+':
      return { reply: head, end };
    case '-':
      return { reply: null, end, error: head };
    case ':':
      return { reply: Number(head), end };
    case '$':
      return parseBulk(input, Number(head), end);
    default:
      return parseArray(input, Number(head), end);
  }
}

function parseBulk(input: Buffer, length: number, start: number): Parsed | undefined {
  if (length < 0) return { reply: null, end: start };
  const end = start + length + 2;
  return end > input.length ? undefined : { reply: input.toString('utf8', start, start + length), end };
}

function parseArray(input: Buffer, length: number, start: number): Parsed | undefined {
  const replies: Reply[] = [];
  let end = start;
  while (replies.length < length) {
    const item = parse(input, end);
    if (item === undefined) return undefined;
    replies.push(item.reply);
    end = item.end;
  }
  return { reply: replies, end };
}
