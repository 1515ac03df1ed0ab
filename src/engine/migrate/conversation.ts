import { CryopodError, isCryopodError } from '../../model/errors.ts';
import { type Link, openLink, wordsOf } from '../../wire/link.ts';
import type { MessageOf } from '../../wire/messages.ts';
import { limitedTo, unlimited } from '../../wire/pace.ts';
import { openWire, type Wire } from '../../wire/wire.ts';
import { expectMessage, sayHello } from './peer.ts';

/** A stream to `cryopod receive` on another host that has said hello. */
export interface Conversation {
  readonly wire: Wire;
  /** An interruption breaks it no more. */
  readonly pastReturn: () => void;
  /** Ends the link and waits for its program. Idempotent. */
  readonly close: () => Promise<void>;
  /** The error as the user is told it: where the link was lost, with the words of its program. */
  readonly explained: (error: unknown) => Promise<unknown>;
}

export interface ConversationOptions {
  /** Names the other side. */
  readonly to: string;
  readonly command: readonly string[];
  /** Bytes a second. */
  readonly bwlimit?: number | undefined;
  readonly signal: AbortSignal;
}

/** Opens a link and says hello. Errors: LINK_LOST, PEER_INVALID, PROGRAM_MISSING, INTERRUPTED. */
export async function converse({ to, command, bwlimit, signal }: ConversationOptions): Promise<Conversation> {
  const link = await openLink(command);
  const breaking = new AbortController();
  const interrupt = (): void => breaking.abort(signal.reason);
  signal.addEventListener('abort', interrupt);
  const pastReturn = (): void => signal.removeEventListener('abort', interrupt);
  const pace = bwlimit === undefined ? unlimited : limitedTo(bwlimit);
  const wire = openWire(link.ends, { pace, signal: breaking.signal });
  const close = async (): Promise<void> => {
    pastReturn();
    wire.close();
    await link.close();
  };
  const explained = (error: unknown) => explain(link, to, error);
  try {
    signal.throwIfAborted();
    await sayHello(wire, to);
    return { wire, pastReturn, close, explained };
  } catch (error) {
    const told = await explained(error);
    await close();
    throw told;
  }
}

/** Milliseconds in which a program whose pipes are closed has ended, too. */
const WORDS_LIMIT_MS = 2000;

async function explain(link: Link, to: string, error: unknown): Promise<unknown> {
  if (!isCryopodError(error, 'LINK_LOST')) return error;
  const limit = new Promise<undefined>((resolve) => setTimeout(resolve, WORDS_LIMIT_MS, undefined).unref());
  const result = await Promise.race([link.ended, limit]);
  if (result === undefined) return error;
  return new CryopodError(result.missing ? 'PROGRAM_MISSING' : 'LINK_LOST', {
    message: `the link to ${to} has ended: ${wordsOf(result)}`,
    hint: `cryopod must be installed there and work over the link: try ${link.command.slice(0, -1).join(' ')} version`,
    cause: error,
  });
}

/** Asks the other side what became of a move. Errors: those of {@link converse}; BUSY. */
export async function askOutcome(options: ConversationOptions, token: string): Promise<MessageOf<'outcome'>> {
  const conversation = await converse(options);
  try {
    await conversation.wire.send({ type: 'settle', token });
    return await expectMessage(conversation.wire, options.to, 'outcome');
  } catch (error) {
    throw await conversation.explained(error);
  } finally {
    await conversation.close();
  }
}
