import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseImageEntries } from '../../src/criu/images.ts';
import { imageOf, message } from '../../src/criu/view/testing.ts';
import type { Unpacked } from './taken-apart.ts';

/** One field of a message, as it stands in protobuf's wire format. */
export type Field = readonly [id: number, value: number | bigint | Uint8Array];

/** The fields of a message in protobuf's wire format, as numbers and bytes. */
export function fieldsOf(bytes: Uint8Array): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    if ((tag & 7) === 0) fields.push([tag >> 3, varint()]);
    else {
      assert.equal(tag & 7, 2, 'numbers and bytes are all that CRIU writes here');
      const size = Number(varint());
      fields.push([tag >> 3, bytes.subarray(at, at + size)]);
      at += size;
    }
  }
  return fields;
}

/** Changes the fields of the message that lies below these numbers. */
export function edited(
  bytes: Uint8Array,
  path: readonly number[],
  change: (fields: Field[]) => Field[],
): Buffer {
  const [id, ...rest] = path;
  const fields = fieldsOf(bytes);
  if (id === undefined) return message(change(fields));
  return message(
    fields.map(
      ([number, value]): Field => [
        number,
        number === id && value instanceof Uint8Array ? edited(value, rest, change) : value,
      ],
    ),
  );
}

/** Rewrites the entries of the only image whose name fits. */
export async function editImage(
  { directory }: Unpacked,
  pattern: RegExp,
  change: (entries: readonly Uint8Array[]) => readonly Uint8Array[],
): Promise<void> {
  const checkpoint = join(directory, 'checkpoint');
  const names = (await readdir(checkpoint)).filter((name) => pattern.test(name));
  assert.equal(names.length, 1, `one image ${pattern}`);
  const file = join(checkpoint, names[0] ?? '');
  const { magic, entries } = parseImageEntries(await readFile(file), file);
  const changed = change(entries).map((entry) => Buffer.from(entry));
  await writeFile(file, imageOf(magic, ...changed));
}

/** Changes the first process: the fields of the message that lies below these numbers in core_entry. */
export const editCore = (
  apart: Unpacked,
  path: readonly number[],
  change: (fields: Field[]) => Field[],
): Promise<void> =>
  editImage(apart, /^core-1\.img$/, (entries) => entries.map((core) => edited(core, path, change)));
