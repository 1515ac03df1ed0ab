/** First word of an image since format 1.1 (CRIU criu/include/magic.h IMG_COMMON_MAGIC). */
const IMG_COMMON_MAGIC = 0x54564319;

/** An image file with one entry (see readImageEntries of ../images.ts for the form). */
export function imageOf(magic: number, entry: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt32LE(IMG_COMMON_MAGIC, 0);
  head.writeUInt32LE(magic, 4);
  head.writeUInt32LE(entry.length, 8);
  return Buffer.concat([head, entry]);
}

/** A protobuf message of numbers up to 2^53 by their field IDs, which are below 16. */
export function encodeNumbers(fields: readonly (readonly [id: number, value: number])[]): Buffer {
  const bytes = Buffer.alloc(fields.length * 11);
  let at = 0;
  for (const [id, value] of fields) {
    bytes[at] = id << 3;
    at = putVarint(bytes, at + 1, value % 2 ** 28, Math.floor(value / 2 ** 28));
  }
  return bytes.subarray(0, at);
}

/** A number of 28 bits and what is above them as a protobuf varint. Returns the place behind it. */
export function putVarint(bytes: Buffer, from: number, low: number, high: number): number {
  let at = from;
  let rest = low;
  for (let group = 0; group < 4; group += 1) {
    const isLast = high === 0 && rest < 0x80;
    bytes[at] = (rest & 0x7f) | (isLast ? 0 : 0x80);
    at += 1;
    if (isLast) return at;
    rest = Math.floor(rest / 128);
  }
  let above = high;
  for (; above >= 0x80; above = Math.floor(above / 128), at += 1) bytes[at] = (above % 128) | 0x80;
  bytes[at] = above;
  return at + 1;
}
