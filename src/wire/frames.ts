import { fail } from '../model/errors.ts';

/**
 * A frame: kind (1 byte), zero (1), channel (2), length (4), then that many bytes; numbers big-endian. Messages are JSON on
 * channel 0. Data of a channel may be cut into frames anywhere; an end frame, which is empty, closes one part of it. A frame
 * `alive`, on channel 0 and empty, says that its sender lives.
 */
export const FRAME_KIND = { message: 1, data: 2, end: 3, alive: 4 } as const;

export type FrameKind = keyof typeof FRAME_KIND;

export const HEADER_BYTES = 8;
/** The highest channel; each that is open costs the receiver a buffer. */
export const MAX_CHANNEL = 63;
/** The configurations of a container that a message holds are far smaller. */
export const MAX_MESSAGE_BYTES = 4 << 20;
export const MAX_DATA_BYTES = 1 << 20;

/** What a frame parser finds, beside signs of life. Data comes as it arrives, also parts of a frame. */
export type FrameEvent =
  | { readonly kind: 'message'; readonly bytes: Buffer }
  | { readonly kind: 'data'; readonly channel: number; readonly bytes: Buffer }
  | { readonly kind: 'end'; readonly channel: number };

const KINDS = new Map<number, FrameKind>(
  Object.entries(FRAME_KIND).map(([name, number]) => [number, name as FrameKind]),
);

const invalid = (why: string): never =>
  fail('PEER_INVALID', {
    message: `what came over the link is not cryopod's: ${why}`,
    hint: 'Nothing but cryopod receive may write to the stream: a shell on the other host that prints at login does.',
  });

/** The header of a frame. `length` must be within the kind's limit (INTERNAL). */
export function frameHeader(kind: FrameKind, channel: number, length: number): Buffer {
  if (channel > MAX_CHANNEL || length > maxLength(kind)) {
    fail('INTERNAL', { message: `a frame of ${length} bytes on channel ${channel} was to be sent` });
  }
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(FRAME_KIND[kind], 0);
  header.writeUInt16BE(channel, 2);
  header.writeUInt32BE(length, 4);
  return header;
}

function maxLength(kind: FrameKind): number {
  if (kind === 'end' || kind === 'alive') return 0;
  return kind === 'message' ? MAX_MESSAGE_BYTES : MAX_DATA_BYTES;
}

interface Header {
  readonly kind: FrameKind;
  readonly channel: number;
  readonly length: number;
}

function parseHeader(bytes: Buffer): Header {
  const kind = KINDS.get(bytes.readUInt8(0));
  if (kind === undefined || bytes.readUInt8(1) !== 0) {
    return invalid(`it begins with ${JSON.stringify(bytes.toString('latin1'))}`);
  }
  const channel = bytes.readUInt16BE(2);
  const length = bytes.readUInt32BE(4);
  if (channel > MAX_CHANNEL || (kind === 'message' || kind === 'alive') !== (channel === 0)) {
    return invalid(`a frame is for channel ${channel}`);
  }
  if (length > maxLength(kind)) return invalid(`a frame claims ${length} bytes`);
  return { kind, channel, length };
}

export interface FrameParser {
  /** All that is complete with these bytes, in order. Fails with PEER_INVALID. */
  readonly push: (bytes: Buffer) => FrameEvent[];
  /** The bytes so far end between two frames. */
  readonly isBetween: () => boolean;
}

/** Takes a stream apart. Of a message it keeps what has come, never more than a frame may hold. */
export function frameParser(): FrameParser {
  let head: Buffer = Buffer.alloc(0);
  let current: Header | undefined;
  let left = 0;
  let parts: Buffer[] = [];

  const takeHeader = (bytes: Buffer): Buffer => {
    const missing = HEADER_BYTES - head.length;
    head = Buffer.concat([head, bytes.subarray(0, missing)]);
    if (head.length === HEADER_BYTES) {
      current = parseHeader(head);
      left = current.length;
      head = Buffer.alloc(0);
    }
    return bytes.subarray(missing);
  };
  const takeContent = ({ kind, channel }: Header, bytes: Buffer): FrameEvent | undefined => {
    const part = bytes.subarray(0, left);
    left -= part.length;
    if (left === 0) current = undefined;
    if (kind === 'end') return { kind, channel };
    if (kind === 'alive') return undefined;
    if (kind === 'data') return part.length === 0 ? undefined : { kind, channel, bytes: part };
    parts.push(part);
    if (current !== undefined) return undefined;
    const whole = Buffer.concat(parts);
    parts = [];
    return { kind, bytes: whole };
  };
  return {
    isBetween: () => current === undefined && head.length === 0,
    push: (bytes) => {
      const events: FrameEvent[] = [];
      for (let rest = bytes; rest.length > 0 || (current !== undefined && left === 0); ) {
        if (current === undefined) {
          rest = takeHeader(rest);
          continue;
        }
        const before = left;
        const event = takeContent(current, rest);
        rest = rest.subarray(before - left);
        if (event !== undefined) events.push(event);
      }
      return events;
    },
  };
}
