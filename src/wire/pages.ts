import { fail } from '../model/errors.ts';
import type { Channel } from './wire.ts';

/** Pages of a process: its PID as the images know it, the number of the first page, and how many. */
export interface Pages {
  readonly process: number;
  readonly page: number;
  readonly pages: number;
}

export interface PagesWanted extends Pages {
  /** A process waits for them. */
  readonly urgent: boolean;
}

/** The target's end of the channel of pages. Errors: those of the wire; PEER_INVALID. */
export interface PageTaker {
  readonly ask: (wanted: PagesWanted) => Promise<void>;
  /** There will be no more questions. */
  readonly end: () => Promise<void>;
  /** The next answer; undefined when the source ends. */
  readonly next: () => Promise<{ readonly range: Pages; readonly bytes: Buffer } | undefined>;
}

/** The source's end. */
export interface PageGiver {
  /** The next question; undefined when the target ends. */
  readonly next: () => Promise<PagesWanted | undefined>;
  readonly answer: (range: Pages, bytes: Buffer) => Promise<void>;
}

/** Pages that may be asked for at once. */
export const MOST_PAGES = 64;

/** A question: urgent (4 bytes), process (4), pages (4), page (8). An answer: the same without its first word, then the pages. */
const QUESTION_BYTES = 20;
const ANSWER_BYTES = 16;

export function takePages(channel: Channel, pageBytes: number): PageTaker {
  const take = byteReader(channel);
  return {
    ask: ({ urgent, ...range }) => {
      const head = Buffer.alloc(QUESTION_BYTES);
      head.writeUInt32BE(urgent ? 1 : 0, 0);
      writeRange(head, range, 4);
      return channel.write(head);
    },
    end: channel.end,
    next: async () => {
      const head = await take(ANSWER_BYTES);
      if (head === undefined) return undefined;
      const range = readRange(head, 0);
      const bytes = await take(range.pages * pageBytes);
      return bytes === undefined ? invalid('pages end early') : { range, bytes };
    },
  };
}

export function givePages(channel: Channel): PageGiver {
  const take = byteReader(channel);
  return {
    next: async () => {
      const head = await take(QUESTION_BYTES);
      return head === undefined ? undefined : { urgent: head.readUInt32BE(0) === 1, ...readRange(head, 4) };
    },
    answer: async (range, bytes) => {
      const head = Buffer.alloc(ANSWER_BYTES);
      writeRange(head, range, 0);
      await channel.write(Buffer.concat([head, bytes]));
    },
  };
}

function writeRange(head: Buffer, { process, page, pages }: Pages, at: number): void {
  head.writeUInt32BE(process, at);
  head.writeUInt32BE(pages, at + 4);
  head.writeBigUInt64BE(BigInt(page), at + 8);
}

function readRange(head: Buffer, at: number): Pages {
  const pages = head.readUInt32BE(at + 4);
  const page = Number(head.readBigUInt64BE(at + 8));
  if (pages < 1 || pages > MOST_PAGES || !Number.isSafeInteger(page)) invalid(`${pages} pages at ${page}`);
  return { process: head.readUInt32BE(at), page, pages };
}

const invalid = (what: string): never =>
  fail('PEER_INVALID', { message: `what came over the link cannot be used: ${what}` });

/** Takes exactly so many bytes of a part; undefined where it ends before them. The bytes are the caller's own. */
function byteReader({ read }: Pick<Channel, 'read'>): (count: number) => Promise<Buffer | undefined> {
  let rest: Buffer = Buffer.alloc(0);
  return async (count) => {
    const bytes = Buffer.allocUnsafeSlow(count);
    for (let filled = 0; filled < count; ) {
      if (rest.length === 0) {
        const more = await read();
        if (more === undefined) return filled === 0 ? undefined : invalid('a part ends early');
        rest = more;
      }
      const copied = rest.copy(bytes, filled);
      filled += copied;
      rest = rest.subarray(copied);
    }
    return bytes;
  };
}
