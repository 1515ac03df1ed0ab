import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isCryopodError } from '../model/errors.ts';
import { encodeNumbers, imageOf } from './delta/encode.ts';
import { decodeMessage, optional } from './protobuf.ts';
import { narrowWindows } from './tcp-streams.ts';

const directory = mkdtempSync(join(tmpdir(), 'cryopod-streams-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const TCP_STREAM = 0x51465506;
const QUEUES = Buffer.from('what was queued');
const FIELDS = {
  mss: optional(7, 'uint32'),
  offered: optional(14, 'uint32'),
  widest: optional(15, 'uint32'),
};

/** The field 16, whose tag has two bytes. */
const RCV_WND = Buffer.from([0x80, 0x01, 0x05]);

const streamOf = (windows: readonly (readonly [number, number])[]): Buffer => {
  const numbers = encodeNumbers([[1, 15], [7, 1460], ...windows]);
  return Buffer.concat([imageOf(TCP_STREAM, Buffer.concat([numbers, RCV_WND])), QUEUES]);
};

async function narrowed(
  image: Buffer,
): Promise<{ offered?: number | undefined; widest?: number | undefined }> {
  const path = join(directory, 'tcp-stream-2c.img');
  writeFileSync(path, image);
  await narrowWindows(directory);
  const bytes = readFileSync(path);
  assert.equal(bytes.length, image.length);
  assert.deepEqual(bytes.subarray(0, 12), image.subarray(0, 12));
  assert.deepEqual(bytes.subarray(-QUEUES.length), QUEUES);
  const { mss, ...windows } = decodeMessage(bytes.subarray(12, -QUEUES.length), FIELDS);
  assert.equal(mss, 1460);
  return windows;
}

test('the window of a connection is half of what it was, as is the widest, and all else stays', async () => {
  const windows = (offered: number, widest: number) =>
    narrowed(
      streamOf([
        [14, offered],
        [15, widest],
      ]),
    );
  assert.deepEqual(await windows(64_256, 65_160), { offered: 32_128, widest: 32_128 });
  assert.deepEqual(await windows(129, 2 ** 30), { offered: 64, widest: 64 });
  assert.deepEqual(await windows(1, 300), { offered: 0, widest: 0 });
});

test('an image without windows, and other images, are left as they are', async () => {
  writeFileSync(
    join(directory, 'inetsk.img'),
    streamOf([
      [14, 5],
      [15, 5],
    ]),
  );
  assert.deepEqual(await narrowed(streamOf([])), { offered: undefined, widest: undefined });
  assert.deepEqual(
    readFileSync(join(directory, 'inetsk.img')),
    streamOf([
      [14, 5],
      [15, 5],
    ]),
  );
  assert.deepEqual(readdirSync(directory).toSorted(), ['inetsk.img', 'tcp-stream-2c.img']);
});

test('a damaged image is refused', async () => {
  writeFileSync(join(directory, 'tcp-stream-2c.img'), streamOf([[14, 5]]).subarray(0, 15));
  await assert.rejects(narrowWindows(directory), (error) => isCryopodError(error, 'IMAGE_INVALID'));
});
