import { createHash } from 'node:crypto';
import { closeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { type ArchiveSums, MEMBER, type MemberDigest, PARENT_LINK } from '../../archive/members.ts';
import { digestOfMembers } from '../../archive/sums.ts';
import type { ArchiveWriter } from '../../archive/types.ts';
import { receivePages } from '../../archive/writer-pages.ts';
import { PIPE_BYTES, type Pumped, pump } from '../../archive/writer-pump.ts';
import { enlargePipe, makePipe } from '../../system/libc.ts';
import type { Wire } from '../../wire/wire.ts';
import { CHANNEL } from './channels.ts';
import { packFrom } from './packer.ts';
import type { Packing } from './types.ts';

/** Content of fewer bytes is not worth a program to compress it. */
const SMALL = 64 << 10;

export interface MemberWriterOptions {
  readonly packing: Packing;
  /** Told the uncompressed bytes sent so far. */
  readonly progress?: ((bytes: number) => void) | undefined;
}

export interface MemberWriter extends ArchiveWriter {
  /** Of the members so far. */
  readonly sums: () => ArchiveSums;
}

/**
 * An archive's members on their way to another host, each as a message with its content behind it. Nothing is kept here:
 * `finish` ends the members with their sums, and `publish` and `discard` have nothing to do. One call at a time. Errors:
 * those of the wire.
 */
export function memberWriter(wire: Wire, { packing, progress }: MemberWriterOptions): MemberWriter {
  const channel = wire.channel(CHANNEL.members);
  const digests: MemberDigest[] = [];
  let total = 0;
  const announce = (name: string, kind: 'file' | 'directory' | 'link', packed: Packing = 'none') =>
    wire.send({ type: 'member', name, kind, packed });
  const count = (bytes: number): void => {
    total += bytes;
    progress?.(total);
  };
  const addWhole = async (name: string, content: Buffer): Promise<void> => {
    await announce(name, 'file');
    await channel.write(content);
    await channel.end();
    count(content.length);
    digests.push({ name, size: content.length, sha256: createHash('sha256').update(content).digest('hex') });
  };
  const addFrom = async (name: string, fd: number): Promise<void> => {
    await announce(name, 'file', packing);
    if (packing === 'zstd') {
      const before = total;
      const size = await packFrom(fd, channel, (bytes) => progress?.(before + bytes));
      count(size);
      digests.push({ name, size });
      return;
    }
    const pumped: Pumped = await pump(fd, async (bytes) => {
      await channel.write(bytes);
      count(bytes.length);
    });
    await channel.end();
    digests.push({ name, ...pumped });
  };
  const sums = (): ArchiveSums => {
    const members = [...digests];
    return { version: 2, members, sha256: digestOfMembers(members) };
  };
  return {
    sums,
    addContent: (name, content) => addWhole(name, Buffer.from(content)),
    addDirectory: (name) => announce(name, 'directory'),
    addParentLink: () => announce(PARENT_LINK.name, 'link'),
    addFile: async (name, path) => {
      const file = await open(path, 'r');
      try {
        const isSmall = (await file.stat()).size <= SMALL;
        await (isSmall ? addWhole(name, await file.readFile()) : addFrom(name, file.fd));
      } finally {
        await file.close();
      }
    },
    addStream: async (name, produce) => {
      const pipe = await makePipe();
      await enlargePipe(pipe.read, PIPE_BYTES);
      const producing = (async () => produce(pipe.write))().finally(() => closeSync(pipe.write));
      const writing = addFrom(name, pipe.read).finally(() => closeSync(pipe.read));
      const [produced, written] = await Promise.allSettled([producing, writing]);
      if (written.status === 'rejected') throw written.reason;
      if (produced.status === 'rejected') throw produced.reason;
    },
    addPages: (prefix, directory, dump) =>
      receivePages(directory, dump, (file, fd) => addFrom(`${prefix}/${file}`, fd)),
    finish: async () => {
      const { version, members, sha256 } = sums();
      await addWhole(MEMBER.sums, Buffer.from(`${JSON.stringify({ version, members, sha256 })}\n`));
      await wire.send({ type: 'sent' });
      return { bytes: wire.sentBytes(), members, sha256 };
    },
    publish: async () => undefined,
    discard: async () => undefined,
  };
}
