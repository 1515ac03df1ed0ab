import type { Readable, Writable } from 'node:stream';
import { CryopodError, isCryopodError, messageOf } from '../model/errors.ts';
import { type FrameKind, frameHeader, frameParser, MAX_DATA_BYTES } from './frames.ts';
import { type Inbox, inbox } from './inbox.ts';
import { type LifeOptions, type LifeWatch, watchLife } from './life.ts';
import { formatMessage, type Message } from './messages.ts';
import { type Pace, unlimited } from './pace.ts';

/** The two directions of a stream, such as a program's pipes or this program's own. */
export interface WireEnds {
  readonly input: Readable;
  readonly output: Writable;
}

export interface WireOptions {
  /** How fast data may go out. Messages are not held back. */
  readonly pace?: Pace | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly life?: LifeOptions | undefined;
}

/**
 * Messages and channels of data on one two-way byte stream. The other side is not trusted: whatever it sends has limits.
 * Whoever reads slowly holds back the whole stream. Data that comes for a channel of which no part is being read, while
 * somebody waits for a message, was not due: whoever expects both begins to read first. A side that has nothing to say gives
 * signs of life, and one that gives none is lost. Errors of every call: LINK_LOST (the stream has ended or broken, or the other
 * side is lost), PEER_INVALID, INTERRUPTED; after one, only `close` is of use.
 */
export interface Wire {
  readonly send: (message: Message) => Promise<void>;
  /** The next message. */
  readonly receive: () => Promise<Message>;
  readonly channel: (number: number) => Channel;
  /** Seconds without a sign of life that count as the end of the link, from now on. */
  readonly setPatience: (seconds: number) => void;
  /** The other side gave no sign of life, and the link was given up: nothing can be expected of it. */
  readonly isLifeless: () => boolean;
  /** Bytes that have gone out, frames included. */
  readonly sentBytes: () => number;
  /** Resolves, and never rejects, once nothing more can come. */
  readonly ended: Promise<void>;
  /** Drops everything at once. Idempotent. */
  readonly close: () => void;
}

/** Data of one kind, in parts. The two directions have nothing to do with each other. */
export interface Channel {
  /** Returns when the bytes have been handed to the system; they may be changed then. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** Ends a part. */
  readonly end: () => Promise<void>;
  /** The next bytes of a part; undefined at its end, after which the next part begins. One call at a time. */
  readonly read: () => Promise<Buffer | undefined>;
}

export function openWire(
  { input, output }: WireEnds,
  { pace = unlimited, signal, life = {} }: WireOptions = {},
): Wire {
  const incoming = inbox();
  let sent = 0;
  let isLifeless = false;
  const watch = watchLife(life, {
    giveSign: () => {
      // What waits to go out says as much once it goes.
      if (output.writableLength === 0) frame('alive', 0, NOTHING).catch(() => undefined);
    },
    onLifeless: (seconds) => {
      isLifeless = true;
      giveUp(lifelessFor(seconds));
    },
  });
  const waiting = new Set<(reason: unknown) => void>();
  /** Some streams never tell what became of bytes that nobody took. */
  const unlessGivenUp = <T>(work: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      waiting.add(reject);
      work.then(resolve, reject).finally(() => waiting.delete(reject));
    });
  const giveUp = (reason: unknown): void => {
    incoming.fail(reason);
    close();
    for (const reject of waiting) reject(reason);
  };
  const close = (): void => {
    watch.stop();
    input.destroy();
    output.destroy();
  };
  const frame = (kind: FrameKind, channel: number, bytes: Uint8Array): Promise<void> =>
    unlessGivenUp(put(kind, channel, bytes));
  const put = (kind: FrameKind, channel: number, bytes: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      const failure = incoming.failure();
      if (failure !== undefined) return reject(failure);
      const header = frameHeader(kind, channel, bytes.length);
      const done = (error?: Error | null): void => {
        if (error === undefined || error === null) resolve();
        else reject(incoming.failure() ?? lost(error));
      };
      sent += header.length + bytes.length;
      watch.said();
      output.cork();
      output.write(header, bytes.length === 0 ? done : undefined);
      if (bytes.length > 0) output.write(bytes, done);
      output.uncork();
    });
  const abort = (): void => giveUp(signal?.reason);
  if (signal?.aborted === true) abort();
  signal?.addEventListener('abort', abort, { once: true });
  output.on('error', () => undefined);
  const ended = readAll(input, incoming, watch)
    .catch(incoming.fail)
    .finally(() => {
      watch.stop();
      signal?.removeEventListener('abort', abort);
      incoming.fail(lost());
    });
  return {
    send: (message) => frame('message', 0, formatMessage(message)),
    receive: incoming.receive,
    channel: (number) => ({
      write: async (bytes) => {
        for (let at = 0; at < bytes.length; at += MAX_DATA_BYTES) {
          const part = bytes.subarray(at, at + MAX_DATA_BYTES);
          await unlessGivenUp(pace(part.length));
          await frame('data', number, part);
        }
      },
      end: () => frame('end', number, NOTHING),
      read: () => incoming.read(number),
    }),
    setPatience: watch.setPatience,
    isLifeless: () => isLifeless,
    sentBytes: () => sent,
    ended,
    close,
  };
}

const NOTHING = Buffer.alloc(0);

async function readAll(input: Readable, incoming: Inbox, watch: LifeWatch): Promise<void> {
  const parser = frameParser();
  try {
    for await (const chunk of input as AsyncIterable<Buffer>) {
      watch.heard();
      for (const event of parser.push(chunk)) await incoming.accept(event);
      if (incoming.failure() !== undefined) return;
      watch.listening();
    }
  } catch (error) {
    throw isCryopodError(error) ? error : lost(error);
  }
}

const lifelessFor = (seconds: number): CryopodError =>
  new CryopodError('LINK_LOST', {
    message: `the link to the other side was given up after ${seconds} s without a sign of life`,
    hint: 'The other host, its cryopod or the network between stands still. --timeout tells how long to wait.',
  });

const lost = (error?: unknown): CryopodError =>
  new CryopodError('LINK_LOST', {
    message:
      error === undefined
        ? 'the link to the other side has ended'
        : `the link to the other side broke: ${messageOf(error)}`,
    cause: error,
  });
