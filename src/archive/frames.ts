import { promisify } from 'node:util';
import { constants, crc32, gzip, zstdCompress } from 'node:zlib';
import { findProgram } from '../system/tools.ts';
import type { ArchiveCompression } from './members.ts';

/**
 * A way to compress an archive in frames: parts that are complete streams of their own. Readers take a file of several
 * as one stream (RFC 8878 §3, RFC 1952 §2.2).
 */
export interface Framing {
  /** A program that makes its stdin one frame on its stdout; undefined: the bytes go as they are. */
  readonly command: readonly string[] | undefined;
  /** The program tells how much it has read. */
  readonly tellsSize?: boolean;
  /** A frame of compressed bytes. */
  readonly packed: (bytes: Buffer) => Promise<Buffer>;
  /** A frame of at most 65535 bytes as they are; its length depends on theirs alone. */
  readonly stored: (bytes: Buffer) => Buffer;
}

/**
 * Of both formats the fastest level: a container may be frozen meanwhile. For zstd (measured on two processors), level 1
 * takes 20 % less time than 3 on programs, which become 12 % larger, and the same on random data.
 */
const LEVEL = 1;

const packGzip = promisify(gzip);
const packZstd = promisify(zstdCompress);

/** How archives of this compression are written. */
export function framingOf(compression: ArchiveCompression): Framing {
  if (compression === 'none') {
    return { command: undefined, packed: async (bytes) => bytes, stored: (bytes) => bytes };
  }
  if (compression === 'gzip') {
    const program = findProgram('pigz') === undefined ? 'gzip' : 'pigz';
    return {
      command: [program, `-${LEVEL}`, '-c'],
      packed: (bytes) => packGzip(bytes, { level: LEVEL }),
      stored: storedGzip,
    };
  }
  const params = { [constants.ZSTD_c_compressionLevel]: LEVEL, [constants.ZSTD_c_checksumFlag]: 1 };
  return {
    // Twice verbose: at its end it says how many bytes it has read.
    command: ['zstd', `-${LEVEL}`, '-T0', '-vv', '--no-progress', '-c'],
    tellsSize: true,
    packed: (bytes) => packZstd(bytes, { params }),
    stored: storedZstd,
  };
}

/** Magic, a single segment whose size has two bytes, one raw block that is the last (RFC 8878 §3.1.1). */
function storedZstd(bytes: Buffer): Buffer {
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x60, 0, 0, 0, 0, 0]);
  // A size of two bytes counts from 256.
  head.writeUInt16LE(bytes.length - 256, 5);
  head.writeUIntLE((bytes.length << 3) | 1, 7, 3);
  return Buffer.concat([head, bytes]);
}

/** Header without name and time, one stored block that is the last, CRC-32 and length (RFC 1952 §2.3, RFC 1951 §3.2.4). */
function storedGzip(bytes: Buffer): Buffer {
  const head = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1, 0, 0, 0, 0]);
  head.writeUInt16LE(bytes.length, 11);
  head.writeUInt16LE(bytes.length ^ 0xffff, 13);
  const tail = Buffer.alloc(8);
  tail.writeUInt32LE(crc32(bytes), 0);
  tail.writeUInt32LE(bytes.length, 4);
  return Buffer.concat([head, bytes, tail]);
}
