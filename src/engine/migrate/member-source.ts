import { PARENT_LINK } from '../../archive/members.ts';
import type { MemberEntry, MemberSource } from '../../archive/types.ts';
import type { Channel, Wire } from '../../wire/wire.ts';
import { CHANNEL } from './channels.ts';
import { unpacked, unpackInto } from './packer.ts';
import { expectMessage } from './peer.ts';

async function* plain(channel: Channel): AsyncGenerator<Buffer> {
  for (let part = await channel.read(); part !== undefined; part = await channel.read()) yield part;
}

async function* nothing(): AsyncGenerator<Buffer> {}

/**
 * The members that another host sends, up to its `sent`. Their names and contents are as hostile as an archive's. Errors:
 * those of the wire, ARCHIVE_INVALID.
 */
export function memberSource(wire: Wire, peer: string): MemberSource {
  const channel = wire.channel(CHANNEL.members);
  let current = nothing();
  const content = async (): Promise<Buffer | undefined> => {
    const { value, done } = await current.next();
    return done === true ? undefined : value;
  };
  return {
    content,
    next: async (): Promise<MemberEntry | undefined> => {
      while ((await content()) !== undefined);
      const message = await expectMessage(wire, peer, 'member', 'sent');
      if (message.type === 'sent') return undefined;
      const { name, kind, packed } = message;
      if (kind !== 'file') {
        current = nothing();
        return { kind, name, size: 0, target: kind === 'link' ? PARENT_LINK.target : '' };
      }
      const file = { kind, name, size: undefined, target: '' } as const;
      if (packed === 'none') {
        current = plain(channel);
        return file;
      }
      // Begun only where it is read: otherwise a program takes all of it.
      current = unpacked(channel);
      const writeInto: MemberEntry['writeInto'] = (to, most) => {
        current = nothing();
        return unpackInto(channel, to, most);
      };
      return { ...file, writeInto };
    },
    drain: async () => undefined,
    // Whatever is packed; the rest has sums.
    isChecked: true,
  };
}
