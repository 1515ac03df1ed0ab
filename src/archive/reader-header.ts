import { fail } from '../model/errors.ts';
import { TAR_BLOCK } from './tar-header.ts';

/** Layout of tar's headers: POSIX.1-2017 pax(1) "ustar Interchange Format", GNU tar's manual "Basic Tar Format". */

/** Longest content of a header that extends another: names and, from some writers, extended attributes. */
export const MAX_EXTENSION = 256 << 10;

/** One header block, as far as archives of checkpoints need it. */
export interface TarHeader {
  readonly name: string;
  readonly size: number;
  readonly type: string;
  /** Target of a link. */
  readonly target: string;
}

/** What a pax header says about the member after it. */
export interface PaxValues {
  readonly path?: string;
  readonly linkpath?: string;
  readonly size?: number;
}

const refuse = (why: string): never => fail('ARCHIVE_INVALID', { message: why });

const FIELD = {
  name: [0, 100],
  size: [124, 136],
  checksum: [148, 156],
  target: [157, 257],
  magic: [257, 265],
  prefix: [345, 500],
} as const;
const TYPE_OFFSET = 156;
const POSIX_MAGIC = 'ustar\x0000';
const GNU_MAGIC = 'ustar  \0';

const ZERO_BLOCK = Buffer.alloc(TAR_BLOCK);
export const isZeroBlock = (block: Buffer): boolean => block.equals(ZERO_BLOCK);

/** Reads a header block that is not zero. Fails with ARCHIVE_INVALID. */
export function parseHeader(block: Buffer): TarHeader {
  if (octal(field(block, 'checksum')) !== checksum(block)) {
    refuse('a header has a wrong checksum, or this is no tar archive');
  }
  const magic = field(block, 'magic').toString('latin1');
  if (magic !== POSIX_MAGIC && magic !== GNU_MAGIC) refuse('a header is of an unknown kind of tar');
  const name = text(field(block, 'name'));
  const prefix = magic === POSIX_MAGIC ? text(field(block, 'prefix')) : '';
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    size: number(field(block, 'size')),
    type: String.fromCharCode(block[TYPE_OFFSET] ?? 0),
    target: text(field(block, 'target')),
  };
}

const field = (block: Buffer, name: keyof typeof FIELD): Buffer => block.subarray(...FIELD[name]);

/** Sum of all bytes, those of the checksum itself taken for spaces. */
function checksum(block: Buffer): number {
  let sum = 8 * 0x20;
  for (const [at, byte] of block.entries()) {
    if (at < FIELD.checksum[0] || at >= FIELD.checksum[1]) sum += byte;
  }
  return sum;
}

/** Text up to the first NUL byte. Latin 1, so that no two names become one. */
function text(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.subarray(0, end === -1 ? bytes.length : end).toString('latin1');
}

function octal(bytes: Buffer): number | undefined {
  const digits = /^ *([0-7]+)[ \0]*$/.exec(bytes.toString('latin1'))?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 8);
}

/** Octal digits, or a big-endian number where the first bit is set (GNU's base-256). */
function number(bytes: Buffer): number {
  const first = bytes[0] ?? 0;
  if (first < 0x80) return octal(bytes) ?? refuse('the size in a header is no number');
  if (first !== 0x80) refuse('the size in a header is negative or absurd');
  const value = BigInt(`0x${bytes.subarray(1).toString('hex')}`);
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? refuse('the size in a header is absurd') : Number(value);
}

/** The name in a GNU long-name header. Fails with ARCHIVE_INVALID. */
export function parseLongName(content: Buffer): string {
  const end = content.indexOf(0);
  const rest = end === -1 ? Buffer.alloc(0) : content.subarray(end);
  if (rest.some((byte) => byte !== 0)) refuse('a long name holds a NUL byte');
  return text(content);
}

/**
 * Reads the records `LENGTH KEY=VALUE\n` of a pax header. Keys that tell neither name nor size are passed over; sparse
 * files and repeated keys are refused, since programs differ in what they make of them. Fails with ARCHIVE_INVALID.
 */
export function parsePax(content: Buffer): PaxValues {
  const values = new Map<string, string>();
  for (let at = 0; at < content.length; ) {
    const digits = /^[1-9][0-9]{0,6} /.exec(content.toString('latin1', at, at + 8))?.[0];
    const end = at + Number(digits ?? refuse('a pax header is malformed'));
    const equals = content.indexOf('=', at);
    if (end > content.length || content[end - 1] !== 0x0a || equals === -1 || equals >= end) {
      refuse('a pax header is malformed');
    }
    const key = content.toString('latin1', at + (digits?.length ?? 0), equals);
    if (key.startsWith('GNU.sparse.')) refuse('a member is a sparse file');
    if (values.has(key)) refuse(`a pax header tells ${key} twice`);
    values.set(key, content.toString('latin1', equals + 1, end - 1));
    at = end;
  }
  return paxValues(values);
}

function paxValues(values: ReadonlyMap<string, string>): PaxValues {
  const path = values.get('path');
  const linkpath = values.get('linkpath');
  const size = values.get('size');
  return {
    ...(path === undefined ? {} : { path }),
    ...(linkpath === undefined ? {} : { linkpath }),
    ...(size === undefined ? {} : { size: decimal(size) }),
  };
}

function decimal(value: string): number {
  const size = /^[0-9]{1,16}$/.test(value) ? Number(value) : Number.NaN;
  return Number.isSafeInteger(size) ? size : refuse('the size in a pax header is absurd');
}
