import { readSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { errnoOf } from '../model/errors.ts';
import { addressOf } from './descriptor-passing.ts';
import { check, libc } from './libc.ts';

/*
 * What a process does with a descriptor of userfaultfd(2), through which it provides the memory of another one: reads what
 * that one does, and puts pages in place (ioctl_userfaultfd(2), linux/userfaultfd.h).
 */

const UFFDIO_WAKE = 0x8010aa02;
const UFFDIO_COPY = 0xc028aa03;
const UFFDIO_ZEROPAGE = 0xc020aa04;

const EVENT_BYTES = 32;
const MOST_EVENTS = 64;

/** Addresses and lengths in bytes. */
export type MemoryEvent =
  | { readonly kind: 'fault'; readonly address: number }
  /** The process has a child with a copy of its memory, which is provided through `descriptor` from now on. */
  | { readonly kind: 'fork'; readonly descriptor: number }
  | { readonly kind: 'remap'; readonly from: number; readonly to: number; readonly length: number }
  /** What was there is gone; the area may still be mapped, with zeros. */
  | { readonly kind: 'remove'; readonly start: number; readonly end: number };

/**
 * What became of pages that were to be put in place: so many bytes from the first on are in place now; `exists`: the first
 * page has been there already; `again`: the process is changing its memory, of which an event tells first; `unmapped`: not
 * all of the range lies in one mapping that is provided; `gone`: the process has ended.
 */
export type Placed = number | 'exists' | 'again' | 'unmapped' | 'gone';

const REFUSALS: Readonly<Record<string, Placed>> = {
  EEXIST: 'exists',
  EAGAIN: 'again',
  ENOENT: 'unmapped',
  EINVAL: 'unmapped',
  ESRCH: 'gone',
  ENOSPC: 'gone',
};

export interface ProvidedMemory {
  /** Events that are there, in order; none: an empty list. */
  readonly events: (descriptor: number) => MemoryEvent[];
  /** Places whole pages; throws what the kernel refuses for other reasons. Who waits for them goes on. */
  readonly copy: (descriptor: number, address: number, bytes: Buffer) => Placed;
  /** The same with zeros. */
  readonly zero: (descriptor: number, address: number, length: number) => Placed;
  /** Whoever waits for these pages tries again. */
  readonly wake: (descriptor: number, address: number, length: number) => void;
}

export async function providedMemory(): Promise<ProvidedMemory> {
  const calls = await libc();
  const messages = Buffer.alloc(EVENT_BYTES * MOST_EVENTS);
  const request = Buffer.alloc(40);
  /** `at`: where the kernel writes how far it has come, or why not. */
  const place = (descriptor: number, number: number, at: number, doing: string): Placed => {
    request.writeBigInt64LE(0n, at);
    const result = calls.ioctl(descriptor, number, request);
    const done = Number(request.readBigInt64LE(at));
    if (done > 0) return done;
    if (result === 0) return 0;
    const errno = getSystemErrorName(done < 0 ? done : -calls.errno());
    const refusal = REFUSALS[errno];
    if (refusal === undefined) check(result, calls, doing);
    return refusal ?? 0;
  };
  const range = (address: number, length: number): void => {
    request.writeBigUInt64LE(BigInt(address), 0);
    request.writeBigUInt64LE(BigInt(length), 8);
    request.writeBigUInt64LE(0n, 16);
  };
  return {
    events: (descriptor) => {
      const count = readAvailable(descriptor, messages);
      return Array.from({ length: count / EVENT_BYTES }, (_, i) =>
        eventOf(messages.subarray(i * EVENT_BYTES, (i + 1) * EVENT_BYTES)),
      );
    },
    copy: (descriptor, address, bytes) => {
      request.writeBigUInt64LE(BigInt(address), 0);
      request.writeBigUInt64LE(addressOf(calls, bytes), 8);
      request.writeBigUInt64LE(BigInt(bytes.length), 16);
      request.writeBigUInt64LE(0n, 24);
      return place(descriptor, UFFDIO_COPY, 32, `place ${bytes.length} bytes of memory`);
    },
    zero: (descriptor, address, length) => {
      range(address, length);
      return place(descriptor, UFFDIO_ZEROPAGE, 24, `place ${length} bytes of zeros`);
    },
    wake: (descriptor, address, length) => {
      range(address, length);
      calls.ioctl(descriptor, UFFDIO_WAKE, request);
    },
  };
}

function readAvailable(descriptor: number, into: Buffer): number {
  try {
    return readSync(descriptor, into);
  } catch (error) {
    // Somebody else was served meanwhile, or the process has ended.
    if (errnoOf(error) === 'EAGAIN') return 0;
    throw error;
  }
}

/** struct uffd_msg: the event (1 byte) and, from byte 8 on, what belongs to it. */
function eventOf(message: Buffer): MemoryEvent {
  const word = (at: number): number => Number(message.readBigUInt64LE(at));
  switch (message.readUInt8(0)) {
    case 0x12:
      return { kind: 'fault', address: word(16) };
    case 0x13:
      return { kind: 'fork', descriptor: message.readUInt32LE(8) };
    case 0x14:
      return { kind: 'remap', from: word(8), to: word(16), length: word(24) };
    case 0x15:
    case 0x16:
      return { kind: 'remove', start: word(8), end: word(16) };
    default:
      throw new Error(`an event of userfaultfd(2) is not known: ${message.toString('hex')}`);
  }
}
