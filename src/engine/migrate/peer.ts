import { CryopodError, ERROR_TABLE, type ErrorCode, fail, isCryopodError } from '../../model/errors.ts';
import { VERSION } from '../../model/version.ts';
import { type Message, type MessageOf, type MessageType, PROTOCOL } from '../../wire/messages.ts';
import type { Wire } from '../../wire/wire.ts';

/** First on both sides: the version of the protocol. Errors: PEER_INVALID, those of the wire. */
export async function sayHello(wire: Wire, peer: string): Promise<void> {
  await wire.send({ type: 'hello', protocol: PROTOCOL, version: VERSION });
  const { protocol, version } = await expectMessage(wire, peer, 'hello');
  if (protocol === PROTOCOL) return;
  fail('PEER_INVALID', {
    message: `${peer} speaks version ${protocol} of the protocol (cryopod ${version}), and this is version ${PROTOCOL} (cryopod ${VERSION})`,
    hint: 'Bring both hosts to the same version of cryopod.',
  });
}

/** The next message, which must be of one of these types. Errors: what the other side failed with; PEER_INVALID. */
export async function expectMessage<T extends MessageType>(
  wire: Wire,
  peer: string,
  ...types: readonly T[]
): Promise<MessageOf<T>> {
  const message = await wire.receive();
  if (types.some((type) => type === message.type)) return message as MessageOf<T>;
  if (message.type === 'failed') throw peerFailure(peer, message);
  return fail('PEER_INVALID', {
    message: `${peer} answered "${message.type}" where ${types.join(' or ')} was due`,
  });
}

/** What the other side failed with, told as its words. */
export function peerFailure(peer: string, { code, message, hint }: MessageOf<'failed'>): CryopodError {
  const known = Object.hasOwn(ERROR_TABLE, code) ? (code as ErrorCode) : 'MIGRATION_FAILED';
  return new CryopodError(known, {
    message: `${peer}: ${printable(message)}`,
    hint: hint && printable(hint),
  });
}

/** Words of the other side must not steer a terminal. */
export const printable = (text: string): string => text.replace(/\p{Cc}/gu, ' ');

/** The message that tells the other side of an error. */
export const failureMessage = (error: unknown): Message & { type: 'failed' } => {
  const known = isCryopodError(error) ? error : undefined;
  return {
    type: 'failed',
    code: known?.code ?? 'INTERNAL',
    message: (error instanceof Error ? error.message : String(error)).slice(0, 10_000),
    hint: known?.hint?.slice(0, 10_000),
  };
};

/**
 * Runs what sends to the other side; where the link breaks under it, the other side may have said why it went, which tells
 * more.
 */
export async function heardOut<T>(wire: Wire, peer: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isCryopodError(error, 'LINK_LOST')) throw error;
    for (;;) {
      const message = await wire.receive().catch(() => {
        throw error;
      });
      if (message.type === 'failed') throw peerFailure(peer, message);
    }
  }
}
