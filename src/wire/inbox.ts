import { CryopodError } from '../model/errors.ts';
import type { FrameEvent } from './frames.ts';
import { type Mailbox, mailbox } from './mailbox.ts';
import { type Message, parseMessage } from './messages.ts';

/** What has come and waits for those that are to have it; never more than a few items. */
export interface Inbox {
  /** Returns once there is room for more. Errors: PEER_INVALID. */
  readonly accept: (event: FrameEvent) => Promise<void>;
  /** The next message. Errors: what the inbox failed with; PEER_INVALID where something else is in its way. */
  readonly receive: () => Promise<Message>;
  /** The next bytes of a part of a channel; undefined at its end. The same errors. */
  readonly read: (channel: number) => Promise<Buffer | undefined>;
  /** Nothing more will come. What is there can still be taken. The first failure counts. */
  readonly fail: (error: unknown) => void;
  readonly failure: () => unknown;
}

/** Messages that wait; a peer that sends more is held back. */
const MAX_MESSAGES = 64;

type Part = Buffer | 'end';

/**
 * Everything comes in one order. What nobody takes holds back the rest: where somebody waits for the rest, the other side has
 * sent what was not due, and both would wait for ever.
 */
export function inbox(): Inbox {
  const messages = mailbox<Message>(MAX_MESSAGES);
  const channels = new Map<number, Mailbox<Part>>();
  /** Channels of which a part is being read. */
  const begun = new Set<number>();
  /** Where the next item waits for room: a channel, or 0 for messages. */
  let held: number | undefined;
  let receivers = 0;
  let readers = 0;
  let failure: unknown;

  const box = (number: number): Mailbox<Part> => {
    const known = channels.get(number) ?? mailbox<Part>(1);
    channels.set(number, known);
    return known;
  };
  const failAll = (error: unknown): void => {
    failure ??= error;
    messages.fail(failure);
    for (const channel of channels.values()) channel.fail(failure);
  };
  const check = (): void => {
    if (held === undefined) return;
    const isUnread = held !== 0 && receivers > 0 && messages.isEmpty() && !begun.has(held);
    const isUnreceived = held === 0 && receivers === 0 && readers > 0;
    if (!isUnread && !isUnreceived) return;
    failAll(invalid(held === 0 ? 'a message' : `data of channel ${held}`));
  };
  const put = async <T>(at: number, to: Mailbox<T>, item: T): Promise<void> => {
    const putting = to.put(item);
    held = to.isFull() ? at : undefined;
    check();
    await putting;
    held = undefined;
  };
  return {
    accept: (event) =>
      event.kind === 'message'
        ? put(0, messages, parseMessage(event.bytes))
        : put(event.channel, box(event.channel), event.kind === 'end' ? 'end' : event.bytes),
    receive: async () => {
      receivers += 1;
      try {
        check();
        return await messages.take();
      } finally {
        receivers -= 1;
      }
    },
    read: async (number) => {
      const from = box(number);
      if (failure !== undefined) from.fail(failure);
      begun.add(number);
      const waits = from.isEmpty() ? 1 : 0;
      readers += waits;
      try {
        check();
        const part = await from.take();
        if (part !== 'end') return part;
        begun.delete(number);
        return undefined;
      } finally {
        readers -= waits;
      }
    },
    fail: failAll,
    failure: () => failure,
  };
}

const invalid = (what: string): CryopodError =>
  new CryopodError('PEER_INVALID', { message: `the other side sent ${what} that was not due` });
