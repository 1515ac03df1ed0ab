import { randomBytes } from 'node:crypto';
import type { Wire } from '../../wire/wire.ts';
import { CHANNEL } from './channels.ts';
import { expectMessage } from './peer.ts';

/** Random, since ssh may compress. */
const BLOCK = 256 << 10;
/** Milliseconds of sending, and the most that is sent. */
const LIMIT_MS = 150;
const LIMIT_BYTES = 8 << 20;

/** Bytes a second that the link takes, measured; undefined where it is not to be measured. The target must be asked to answer. */
export async function measureLink(
  wire: Wire,
  to: string,
  { skip }: { readonly skip: boolean },
): Promise<number | undefined> {
  const channel = wire.channel(CHANNEL.members);
  await wire.send({ type: 'probe' });
  const begun = performance.now();
  const block = randomBytes(BLOCK);
  let sent = 0;
  while (!skip && sent < LIMIT_BYTES && performance.now() - begun < LIMIT_MS) {
    await channel.write(block);
    sent += block.length;
  }
  await channel.end();
  await expectMessage(wire, to, 'probed');
  return skip ? undefined : (sent / (performance.now() - begun)) * 1000;
}

/** The target's part. Errors: PEER_INVALID. */
export async function answerProbe(wire: Wire, from: string): Promise<void> {
  await expectMessage(wire, from, 'probe');
  const channel = wire.channel(CHANNEL.members);
  let bytes = 0;
  for (let part = await channel.read(); part !== undefined; part = await channel.read()) bytes += part.length;
  await wire.send({ type: 'probed', bytes });
}
