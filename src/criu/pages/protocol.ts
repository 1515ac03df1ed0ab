import { fail } from '../../model/errors.ts';

/** Some pages of a process: its PID as the images know it, and the number of the first page (address / size of a page). */
export interface PageRange {
  readonly process: number;
  readonly page: number;
  readonly pages: number;
}

/** What CRIU's server of pages asks of a page server (CRIU criu/page-xfer.c): pages, or to part. */
export type PageCommand = (PageRange & { readonly kind: 'get' }) | { readonly kind: 'close' };

/** CRIU criu/page-xfer.c PS_IOV_*; the upper half of the word carries flags of the range. */
const ADD = 6;
const GET = 7;
const CLOSE = 0x1023;
const FORCE_CLOSE = 0x1024;
const COMMAND_BITS = 16;
/** CRIU criu/include/pagemap.h PE_PRESENT */
const PRESENT = 1 << 2;

/** `struct page_server_iov` as a version of CRIU lays it out. */
export interface PageProtocol {
  readonly headerBytes: number;
  /** Reads one header. Fails with RESTORE_FAILED for what no lazy restore asks for. */
  readonly parse: (header: Buffer) => PageCommand;
  /** Goes before that many pages. */
  readonly answer: (range: PageRange) => Buffer;
}

/** The answer to a close: all is well (an int32). */
export const CLOSED = Buffer.alloc(4);

/** Counts of pages have 64 bits since CRIU 4.2 (commit 7e0da4d97). */
const WIDE_SINCE = 40200;

/** `version`: CRIU's, as in its probe; `pageBytes`: size of a page. Numbers are little-endian on all machines of CRIU but s390x. */
export function pageProtocol(version: number, pageBytes: number): PageProtocol {
  const isWide = version >= WIDE_SINCE;
  const headerBytes = isWide ? 32 : 24;
  const addressAt = headerBytes - 16;
  return {
    headerBytes,
    parse: (header) => {
      const command = header.readUInt32LE(0) & ((1 << COMMAND_BITS) - 1);
      if (command === CLOSE || command === FORCE_CLOSE) return { kind: 'close' };
      if (command !== GET) return refuse(`command ${command}`);
      const pages = isWide ? Number(header.readBigUInt64LE(8)) : header.readUInt32LE(4);
      const address = header.readBigUInt64LE(addressAt);
      const process = Number(header.readBigUInt64LE(addressAt + 8));
      const page = Number(address / BigInt(pageBytes));
      if (pages < 1 || !Number.isSafeInteger(pages)) return refuse(`${pages} pages`);
      return { kind: 'get', process, page, pages };
    },
    answer: ({ process, page, pages }) => {
      const header = Buffer.alloc(headerBytes);
      header.writeUInt32LE(((PRESENT << COMMAND_BITS) | ADD) >>> 0, 0);
      if (isWide) header.writeBigUInt64LE(BigInt(pages), 8);
      else header.writeUInt32LE(pages, 4);
      header.writeBigUInt64LE(BigInt(page) * BigInt(pageBytes), addressAt);
      header.writeBigUInt64LE(BigInt(process), addressAt + 8);
      return header;
    },
  };
}

const refuse = (what: string): never =>
  fail('RESTORE_FAILED', { message: `CRIU's server of pages asks for ${what}, which is not understood` });
