import { fail } from '../model/errors.ts';

/** Values of the protobuf scalar types that CRIU uses. 64-bit integers are exact. */
interface Scalars {
  uint32: number;
  int32: number;
  uint64: bigint;
  int64: bigint;
  bool: boolean;
  string: string;
  bytes: Uint8Array;
}

type FieldType = keyof Scalars | MessageSchema;
type FieldRule = 'required' | 'optional' | 'repeated';

export interface Field<T extends FieldType = FieldType, R extends FieldRule = FieldRule> {
  readonly id: number;
  readonly type: T;
  readonly rule: R;
}

/** A message: its fields by name. Fields of the .proto file that nobody reads may be left out; they are skipped. */
export interface MessageSchema {
  readonly [name: string]: Field;
}

type Value<T> = T extends keyof Scalars ? Scalars[T] : T extends MessageSchema ? Message<T> : never;

/** The decoded form of a schema. */
export type Message<S extends MessageSchema> = {
  readonly [K in keyof S]: S[K] extends Field<infer T, infer R>
    ? R extends 'repeated'
      ? readonly Value<T>[]
      : R extends 'required'
        ? Value<T>
        : Value<T> | undefined
    : never;
};

export const required = <const T extends FieldType>(id: number, type: T): Field<T, 'required'> => ({
  id,
  type,
  rule: 'required',
});
export const optional = <const T extends FieldType>(id: number, type: T): Field<T, 'optional'> => ({
  id,
  type,
  rule: 'optional',
});
export const repeated = <const T extends FieldType>(id: number, type: T): Field<T, 'repeated'> => ({
  id,
  type,
  rule: 'repeated',
});

/** Messages nest this deep at most in CRIU's images; more is an attack on the stack. */
const MAX_DEPTH = 16;
const MASK_64 = (1n << 64n) - 1n;

interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
}

const broken = (what: string): never =>
  fail('IMAGE_INVALID', { message: `malformed protobuf data: ${what}` });

/**
 * Decodes one protobuf message (proto2 wire format, protobuf.dev/programming-guides/encoding). Unknown fields are
 * skipped, packed repeated numbers are accepted. Fails with IMAGE_INVALID for data that ends early, a field of another
 * wire type, a message that occurs twice where there can be one, or a required field that is missing.
 */
export function decodeMessage<S extends MessageSchema>(bytes: Uint8Array, schema: S, depth = 0): Message<S> {
  if (depth > MAX_DEPTH) broken('messages nest too deeply');
  const fields = fieldsOf(schema);
  const values = new Map<string, unknown>();
  const lists = new Map<string, unknown[]>();
  const cursor: Cursor = { bytes, at: 0 };
  while (cursor.at < bytes.length) {
    const tag = Number(readVarint(cursor));
    const wire = tag & 7;
    const known = fields.get(Math.floor(tag / 8));
    if (known === undefined) {
      skip(cursor, wire);
      continue;
    }
    const { name, field } = known;
    // Readers differ in whether they join such parts or take the last; no writer makes them.
    if (typeof field.type === 'object' && field.rule !== 'repeated' && values.has(name)) {
      broken(`the field ${name} occurs twice`);
    }
    const found = readField(cursor, wire, field.type, depth);
    const list = lists.get(name) ?? [];
    for (const value of found) list.push(value);
    lists.set(name, list);
    values.set(name, field.rule === 'repeated' ? list : found.at(-1));
  }
  for (const [name, { rule }] of Object.entries(schema)) {
    if (values.has(name)) continue;
    if (rule === 'required') broken(`the field ${name} is missing`);
    values.set(name, rule === 'repeated' ? [] : undefined);
  }
  // The loop above filled each field by its schema, which is what Message<S> says.
  return Object.fromEntries(values) as Message<S>;
}

/** A number of a message, and the bytes that hold it. */
export interface Placed {
  readonly value: bigint;
  /** Where they begin. */
  readonly at: number;
  readonly length: number;
}

/** The fields of one message that are varints, by ID; of one that occurs twice the last, which counts. Fails with IMAGE_INVALID. */
export function placesOf(bytes: Uint8Array): ReadonlyMap<number, Placed> {
  const places = new Map<number, Placed>();
  const cursor: Cursor = { bytes, at: 0 };
  while (cursor.at < bytes.length) {
    const tag = Number(readVarint(cursor));
    const at = cursor.at;
    if ((tag & 7) !== 0) skip(cursor, tag & 7);
    else {
      const value = readVarint(cursor);
      places.set(Math.floor(tag / 8), { value, at, length: cursor.at - at });
    }
  }
  return places;
}

type FieldsById = ReadonlyMap<number, { readonly name: string; readonly field: Field }>;

const indexed = new WeakMap<MessageSchema, FieldsById>();

/** Made once for each schema: page maps have hundreds of thousands of entries. */
function fieldsOf(schema: MessageSchema): FieldsById {
  const known = indexed.get(schema);
  if (known !== undefined) return known;
  const fields = new Map(Object.entries(schema).map(([name, field]) => [field.id, { name, field }]));
  indexed.set(schema, fields);
  return fields;
}

/** One value, or several where a repeated number is packed. */
function readField(cursor: Cursor, wire: number, type: FieldType, depth: number): unknown[] {
  if (typeof type === 'object') return [decodeMessage(readLengthDelimited(cursor, wire), type, depth + 1)];
  if (type === 'bytes') return [readLengthDelimited(cursor, wire)];
  if (type === 'string') return [Buffer.from(readLengthDelimited(cursor, wire)).toString('utf8')];
  if (wire === 2) {
    const packed: Cursor = { bytes: readLengthDelimited(cursor, wire), at: 0 };
    const values: unknown[] = [];
    while (packed.at < packed.bytes.length) values.push(toNumber(readVarint(packed), type));
    return values;
  }
  return [toNumber(readNumber(cursor, wire), type)];
}

function toNumber(
  raw: bigint,
  type: 'uint32' | 'int32' | 'uint64' | 'int64' | 'bool',
): number | bigint | boolean {
  switch (type) {
    case 'bool':
      return raw !== 0n;
    case 'uint32':
      return Number(BigInt.asUintN(32, raw));
    case 'int32':
      return Number(BigInt.asIntN(32, raw));
    case 'int64':
      return BigInt.asIntN(64, raw);
    case 'uint64':
      return raw;
  }
}

function readVarint(cursor: Cursor): bigint {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = cursor.bytes[cursor.at];
    if (byte === undefined) return broken('a number ends early');
    cursor.at += 1;
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return value & MASK_64;
  }
  return broken('a number is too long');
}

function readNumber(cursor: Cursor, wire: number): bigint {
  if (wire === 0) return readVarint(cursor);
  if (wire !== 1 && wire !== 5) return broken(`wire type ${wire} where a number is expected`);
  const size = wire === 1 ? 8 : 4;
  let value = 0n;
  for (const byte of take(cursor, size).toReversed()) value = (value << 8n) | BigInt(byte);
  return value;
}

function readLengthDelimited(cursor: Cursor, wire: number): Uint8Array {
  if (wire !== 2) return broken(`wire type ${wire} where text, bytes or a message is expected`);
  return take(cursor, Number(readVarint(cursor)));
}

function take(cursor: Cursor, size: number): Uint8Array {
  const end = cursor.at + size;
  if (end > cursor.bytes.length) broken('a field ends early');
  const part = cursor.bytes.subarray(cursor.at, end);
  cursor.at = end;
  return part;
}

function skip(cursor: Cursor, wire: number): void {
  if (wire === 0) readVarint(cursor);
  else if (wire === 1) take(cursor, 8);
  else if (wire === 2) readLengthDelimited(cursor, wire);
  else if (wire === 5) take(cursor, 4);
  else broken(`wire type ${wire}`);
}
