import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Channel } from '../../wire/wire.ts';
import { packFrom, unpacked, unpackInto } from './packer.ts';

const CONTENT = Buffer.concat([randomBytes(3 << 20), Buffer.alloc(5 << 20, 'text')]);

/** What has been written can be read once, a part at a time. */
function memoryChannel(parts: Buffer[] = []): Channel & { readonly parts: Buffer[] } {
  let ended = false;
  return {
    parts,
    write: async (bytes) => {
      parts.push(Buffer.from(bytes));
    },
    end: async () => {
      ended = true;
    },
    read: async () => {
      assert.ok(ended || parts.length > 0, 'a part that was not ended is read past its end');
      return parts.shift();
    },
  };
}

async function inDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'cryopod-packer-'));
  t.after(() => rm(directory, { recursive: true }));
  return directory;
}

async function packedContent(directory: string): Promise<Buffer[]> {
  const path = join(directory, 'content');
  await writeFile(path, CONTENT);
  const file = await open(path);
  const channel = memoryChannel();
  try {
    assert.equal(await packFrom(file.fd, channel, () => undefined), CONTENT.length);
  } finally {
    await file.close();
  }
  assert.ok(channel.parts.reduce((sum, { length }) => sum + length, 0) < CONTENT.length / 2);
  return channel.parts;
}

/** A channel of which one part lies ready. */
async function ready(parts: readonly Buffer[]): Promise<Channel> {
  const channel = memoryChannel([...parts]);
  await channel.end();
  return channel;
}

async function into(directory: string, channel: Channel, most: number): Promise<number> {
  const file = await open(join(directory, 'unpacked'), 'w');
  try {
    return await unpackInto(channel, file, most);
  } finally {
    await file.close();
  }
}

test('what is packed on one side is the same on the other, in a file and as a stream', async (t) => {
  const directory = await inDirectory(t);
  const parts = await packedContent(directory);
  assert.equal(await into(directory, await ready(parts), CONTENT.length), CONTENT.length);
  assert.ok((await readFile(join(directory, 'unpacked'))).equals(CONTENT));
  const stream: Buffer[] = [];
  for await (const part of unpacked(await ready(parts))) stream.push(part);
  assert.ok(Buffer.concat(stream).equals(CONTENT));
});

test('what unpacks to more than may be used is refused, and takes no more', async (t) => {
  const directory = await inDirectory(t);
  const parts = await packedContent(directory);
  for (const most of [CONTENT.length - 1, 100_000]) {
    await assert.rejects(into(directory, await ready(parts), most), { code: 'NO_SPACE' });
    assert.ok((await stat(join(directory, 'unpacked'))).size <= most + 1);
  }
});

test('damage is told, whatever takes the content', async (t) => {
  const directory = await inDirectory(t);
  const whole = Buffer.concat(await packedContent(directory));
  const flipped = Buffer.from(whole);
  flipped.writeUInt8(flipped.readUInt8(1 << 20) ^ 1, 1 << 20);
  for (const damaged of [flipped, whole.subarray(0, -3), Buffer.from('no zstd at all')]) {
    const refused = { code: 'ARCHIVE_INVALID' };
    await assert.rejects(into(directory, await ready([damaged]), 1 << 30), refused);
    await assert.rejects(async () => {
      for await (const _ of unpacked(await ready([damaged])));
    }, refused);
  }
});
