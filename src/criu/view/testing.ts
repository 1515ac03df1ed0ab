/** Images for tests, written by hand: protobuf fields as pairs of number and value. */

type Value = number | bigint | string | Uint8Array;
export type Fields = readonly (readonly [id: number, value: Value])[];

const COMMON_MAGIC = 0x54564319;

function varint(value: number | bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}

/** A message in protobuf's wire format. */
export const message = (fields: Fields): Buffer =>
  Buffer.concat(
    fields.map(([id, value]) => {
      if (typeof value === 'number' || typeof value === 'bigint') {
        return Buffer.from([...varint(id << 3), ...varint(value)]);
      }
      const bytes = Buffer.from(value as Uint8Array);
      return Buffer.concat([Buffer.from([...varint((id << 3) | 2), ...varint(bytes.length)]), bytes]);
    }),
  );

const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

/** An image file of these entries. */
export const imageOf = (magic: number, ...entries: readonly Buffer[]): Buffer =>
  Buffer.concat([
    word(COMMON_MAGIC),
    word(magic),
    ...entries.flatMap((entry) => [word(entry.length), entry]),
  ]);
