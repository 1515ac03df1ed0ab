import { createHash } from 'node:crypto';
import type { MemberDigest } from '../../src/archive/members.ts';
import { digestOfMembers } from '../../src/archive/sums.ts';

/** Builds tar archives byte by byte, also such as no program writes. */

export const BLOCK = 512;

export interface HeaderFields {
  readonly name: string;
  /** Default '0', a regular file. */
  readonly type?: string;
  /** A number, or the field as it is to stand there. Default 0. */
  readonly size?: number | Buffer;
  readonly target?: string;
  readonly prefix?: string;
  /** Default: POSIX's. */
  readonly magic?: string;
}

/** A header block with a right checksum. */
export function header({ name, type, size, target, prefix, magic }: HeaderFields): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, 100, 'latin1');
  block.write('0000600\0', 100, 'latin1');
  block.write('0000000\0', 108, 'latin1');
  block.write('0000000\0', 116, 'latin1');
  if (Buffer.isBuffer(size)) size.copy(block, 124, 0, 12);
  else writeSize(block, size ?? 0);
  block.write('00000000000\0', 136, 'latin1');
  block.write(type ?? '0', 156, 1, 'latin1');
  block.write(target ?? '', 157, 100, 'latin1');
  block.write(magic ?? 'ustar\x0000', 257, 8, 'latin1');
  block.write(prefix ?? '', 345, 155, 'latin1');
  return withChecksum(block);
}

function writeSize(block: Buffer, size: number): void {
  if (size < 8 ** 11) {
    block.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
    return;
  }
  block[124] = 0x80;
  block.writeBigUInt64BE(BigInt(size), 128);
}

/** Corrects the checksum of a header block in place. */
export function withChecksum(block: Buffer): Buffer {
  block.fill(' ', 148, 156);
  const sum = block.subarray(0, BLOCK).reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** Content with zeros up to the next whole block. */
export const padded = (content: string | Buffer): Buffer => {
  const bytes = Buffer.from(content);
  return Buffer.concat([bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]);
};

/** A member with content, whose size is told truly unless `fields` say otherwise. */
export const member = (
  name: string,
  content: string | Buffer = '',
  fields: Partial<HeaderFields> = {},
): Buffer => Buffer.concat([header({ name, size: Buffer.from(content).length, ...fields }), padded(content)]);

export const directory = (name: string): Buffer => header({ name: `${name}/`, type: '5' });

export const link = (name: string, target: string): Buffer => header({ name, type: '2', target });

/** The records of a pax header for the member after it. */
export const pax = (records: Readonly<Record<string, string>>, type = 'x'): Buffer =>
  member('PaxHeaders/member', Object.entries(records).map(paxRecord).join(''), { type });

function paxRecord([key, value]: [string, string]): string {
  const rest = ` ${key}=${value}\n`;
  const total = (length: number) => Buffer.byteLength(`${length}${rest}`);
  let length = total(0);
  while (total(length) !== length) length = total(length);
  return `${length}${rest}`;
}

/** GNU's header for a name that does not fit. */
export const longName = (name: string): Buffer =>
  member('././@LongLink', `${name}\0`, { type: 'L', magic: 'ustar  \0' });

export const END = Buffer.alloc(2 * BLOCK);

/** The parts and the mark of the end. */
export const archive = (...parts: readonly Buffer[]): Buffer => Buffer.concat([...parts, END]);

export type Contents = readonly (readonly [name: string, content: string])[];

const digestOf = ([name, content]: Contents[number]): MemberDigest => ({
  name,
  size: Buffer.from(content).length,
  sha256: createHash('sha256').update(content).digest('hex'),
});

/** The member cryopod.sums for the members before it. */
export const sumsOf = (contents: Contents): Buffer => {
  const members = contents.map(digestOf);
  return member('cryopod.sums', JSON.stringify({ version: 1, members, sha256: digestOfMembers(members) }));
};

/** An archive as cryopod writes it. */
export const summedArchive = (contents: Contents): Buffer =>
  archive(...contents.map(([name, content]) => member(name, content)), sumsOf(contents));
