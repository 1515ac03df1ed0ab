import type { ArchiveWriter } from '../../archive/types.ts';
import { monotonicMicroseconds } from '../../system/clock.ts';
import { faultPoint } from '../../system/faults.ts';
import { logInfo } from '../../system/log.ts';
import type { RoundFigures } from '../plan/migrate/rounds.ts';
import { type MemberWriter, memberWriter } from './member-writer.ts';
import { expectMessage, heardOut } from './peer.ts';
import { ROUND_END, ROUND_SUMS } from './round-members.ts';
import type { Departure } from './types.ts';

/** Of one phase of a move, which progress is told of. */
export const writerOf = ({ ctx, wire, packing, container }: Departure, phase: string): MemberWriter =>
  memberWriter(wire, {
    packing,
    progress: (bytes) => ctx.progress({ phase, subject: container.config.name, bytes }),
  });

/**
 * Sends a round while the container runs, and waits until the target has it on disk. Errors: those of `send`, of the wire, what
 * the target failed with.
 */
export async function sendRound(
  departure: Departure,
  number: number,
  send: (writer: ArchiveWriter) => Promise<void>,
): Promise<RoundFigures> {
  const { ctx, container, wire, to } = departure;
  ctx.signal.throwIfAborted();
  const begun = monotonicMicroseconds();
  const before = wire.sentBytes();
  await heardOut(wire, to, async () => {
    const writer = writerOf(departure, `round ${number}`);
    await send(writer);
    await vouchFor(writer);
    await writer.addDirectory(ROUND_END);
    await expectMessage(wire, to, 'kept');
  });
  ctx.progress({ phase: `round ${number}`, subject: container.config.name, done: true });
  faultPoint('rounds.sent');
  const figures = { bytes: wire.sentBytes() - before, duration: monotonicMicroseconds() - begun };
  logInfo(`round ${number} brought ${figures.bytes} bytes`);
  return figures;
}

/** What is sent in rounds is no part of what the archive's sums vouch for: it has sums of its own. */
export const vouchFor = (writer: MemberWriter): Promise<void> =>
  writer.addContent(ROUND_SUMS, JSON.stringify(writer.sums()));
