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
  /** Seconds without a sign of life; the default is that of the wire. */
  readonly patience?: number | undefined;
  readonly signal: AbortSignal;
}

/** Milliseconds for the other side to come to its end: to undo what it did, or, where the container is its own, to thaw it. */
const UNDO_LIMIT_MS = 10_000;
const THAW_LIMIT_MS = 60_000;

/** Opens a link and says hello. Errors: LINK_LOST, PEER_INVALID, PROGRAM_MISSING, INTERRUPTED. */
export async function converse({
  to,
  command,
  bwlimit,
  patience,
  signal,
}: ConversationOptions): Promise<Conversation> {
  const link = await openLink(command);
  const breaking = new AbortController();
  const interrupt = (): void => breaking.abort(signal.reason);
  signal.addEventListener('abort', interrupt);
  let limit = UNDO_LIMIT_MS;
  const ignoreInterruptions = (): void => signal.removeEventListener('abort', interrupt);
  const pastReturn = (): void => {
    ignoreInterruptions();
    limit = THAW_LIMIT_MS;
  };
  const pace = bwlimit === undefined ? unlimited : limitedTo(bwlimit);
  const wire = openWire(link.ends, { pace, signal: breaking.signal, life: { patience } });
  const close = async (): Promise<void> => {
    ignoreInterruptions();
    wire.close();
    await link.close(wire.isLifeless() ? 0 : limit);
  };
  let greeted = false;
  const explained = (error: unknown) => explain(link, to, error, greeted);
  try {
    signal.throwIfAborted();
    await sayHello(wire, to);
    greeted = true;
    return { wire, pastReturn, close, explained };
  } catch (error) {
    const told = await explained(error);
    await close();
    throw told;
  }
}

/** Milliseconds in which a program whose pipes are closed has ended, too. */
const WORDS_LIMIT_MS = 2000;

/** How errors of a wire begin, which knows no names. */
const NAMELESS =
  /^the link to the other side (?:has ended|broke: [^;]*|(was given up after \d+ s without a sign of life))/;

async function explain(link: Link, to: string, error: unknown, greeted: boolean): Promise<unknown> {
  if (!isCryopodError(error, 'LINK_LOST')) return error;
  const limit = new Promise<undefined>((resolve) => setTimeout(resolve, WORDS_LIMIT_MS, undefined).unref());
  const lifeless = NAMELESS.exec(error.message)?.[1];
  const result = lifeless === undefined ? await Promise.race([link.ended, limit]) : undefined;
  const words = result === undefined ? '' : `: ${wordsOf(result)}`;
  const hint = `cryopod must be installed there and work over the link: try ${link.command.slice(0, -1).join(' ')} version`;
  const told = new CryopodError('LINK_LOST', {
    message: error.message.replace(NAMELESS, `the link to ${to} ${lifeless ?? 'has ended'}${words}`),
    hint: greeted ? error.hint : hint,
    cause: error,
  });
  told.cleanupErrors.push(...error.cleanupErrors);
  return told;
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
