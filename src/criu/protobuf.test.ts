import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCryopodError } from '../model/errors.ts';
import { decodeMessage, type MessageSchema, optional, repeated, required } from './protobuf.ts';

const bytes = (hex: string): Uint8Array => Buffer.from(hex.replaceAll(' ', ''), 'hex');

const refused = (hex: string, schema: Parameters<typeof decodeMessage>[1]): void => {
  assert.throws(
    () => decodeMessage(bytes(hex), schema),
    (error) => isCryopodError(error, 'IMAGE_INVALID'),
  );
};

test('numbers, text, bytes and messages are decoded', () => {
  const schema = {
    small: required(1, 'uint32'),
    negative: required(2, 'int32'),
    flag: optional(3, 'bool'),
    text: optional(4, 'string'),
    raw: optional(5, 'bytes'),
    inner: optional(6, { value: required(1, 'uint32') }),
    fixed: optional(7, 'uint64'),
    missing: optional(8, 'string'),
  };
  const message = decodeMessage(
    bytes('08 9601 10 ffffffffffffffffff01 1801 2203 c3a478 2a02 00ff 3202 0805 39 0100000000000080'),
    schema,
  );
  assert.deepEqual(message, {
    small: 150,
    negative: -1,
    flag: true,
    text: 'äx',
    raw: bytes('00ff'),
    inner: { value: 5 },
    fixed: 0x8000000000000001n,
    missing: undefined,
  });
});

test('64-bit numbers are exact', () => {
  const schema = { unsigned: required(1, 'uint64'), signed: required(2, 'int64') };
  const message = decodeMessage(bytes('08 ffffffffffffffffff01 10 ffffffffffffffff7f'), schema);
  assert.equal(message.unsigned, 2n ** 64n - 1n);
  assert.equal(message.signed, 2n ** 63n - 1n);
});

test('repeated numbers come packed or one by one', () => {
  const schema = { threads: repeated(5, 'uint32') };
  assert.deepEqual(decodeMessage(bytes('2801 2a03 02ac02 2804'), schema).threads, [1, 2, 300, 4]);
  assert.deepEqual(decodeMessage(bytes(''), schema).threads, []);
});

test('the last value of a single field counts, and unknown fields are skipped', () => {
  const schema = { value: required(1, 'uint32') };
  assert.equal(
    decodeMessage(bytes('0801 1005 1a02 abcd 25 01020304 29 0102030405060708 0802'), schema).value,
    2,
  );
});

test('data that ends early, another wire type and a missing field are refused', () => {
  const schema = { value: required(1, 'uint32'), text: optional(2, 'string') };
  for (const hex of [
    '08',
    '08ff',
    '0801 12 05 61',
    '0a01 ',
    '0801 1001',
    '12 01 61',
    '0801 0c',
    '08 ffffffffffffffffffff01',
  ]) {
    refused(hex, schema);
  }
});

test('a message that occurs twice where there can be one is refused, since readers differ in what counts', () => {
  const schema = { inner: optional(1, { value: optional(1, 'uint32') }) };
  assert.deepEqual(decodeMessage(bytes('0a020801'), schema).inner, { value: 1 });
  refused('0a020801 0a020802', schema);
});

test('messages that nest too deeply are refused', () => {
  let schema: MessageSchema = { value: optional(1, 'uint32') };
  let data = Buffer.alloc(0);
  for (let depth = 0; depth < 20; depth += 1) {
    schema = { inner: optional(1, schema) };
    data = Buffer.concat([Buffer.from([0x0a, data.length]), data]);
  }
  refused(data.toString('hex'), schema);
});
