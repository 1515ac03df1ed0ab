import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DescriptorStream, streamOf } from '../../system/descriptor-stream.ts';
import { makeSocketPair } from '../../system/libc.ts';
import { pageProtocol } from './protocol.ts';
import { type PageSource, servePages } from './serve.ts';

const PAGE = 4096;

/** As CRIU lays its questions out: with 64-bit counts since 4.2. */
function question(version: number, command: number, pages: number, address: bigint, process: number): Buffer {
  const isWide = version >= 40200;
  const bytes = Buffer.alloc(isWide ? 32 : 24);
  bytes.writeUInt32LE(command, 0);
  if (isWide) bytes.writeUInt32LE(pages, 8);
  else bytes.writeUInt32LE(pages, 4);
  bytes.writeBigUInt64LE(address, bytes.length - 16);
  bytes.writeUInt32LE(process, bytes.length - 8);
  return bytes;
}

/** The client writes and reads as CRIU does. */
async function withClient(
  version: number,
  source: PageSource,
  work: (client: Client, serving: Promise<void>, server: DescriptorStream) => Promise<void>,
): Promise<void> {
  const [own, other] = await makeSocketPair();
  const [server, client] = [streamOf(own), streamOf(other)];
  const serving = servePages(server, { protocol: pageProtocol(version, PAGE), pageBytes: PAGE, source });
  serving.catch(() => undefined);
  let rest: Buffer = Buffer.alloc(0);
  const take = async (count: number): Promise<Buffer> => {
    while (rest.length < count) {
      const more = await client.read();
      assert.ok(more !== undefined, 'the server has parted');
      rest = Buffer.concat([rest, more]);
    }
    const taken = rest.subarray(0, count);
    rest = rest.subarray(count);
    return taken;
  };
  try {
    await work({ write: client.write, take }, serving, server);
  } finally {
    client.close();
    await serving.catch(() => undefined);
    server.close();
  }
}

interface Client extends Pick<DescriptorStream, 'write'> {
  readonly take: (count: number) => Promise<Buffer>;
}

for (const version of [40101, 40200]) {
  test(`questions of CRIU ${version} are announced at once and answered in order, with what is there`, async () => {
    const announced: number[] = [];
    const first = Promise.withResolvers<void>();
    const source: PageSource = {
      announce: ({ page }) => announced.push(page),
      read: async ({ process, page, pages }) => {
        if (page === 16) await first.promise;
        return [Buffer.alloc(Math.min(pages, 2) * PAGE, process)];
      },
    };
    await withClient(version, source, async (client, serving) => {
      await client.write(
        Buffer.concat([question(version, 7, 64, 0x10000n, 3), question(version, 7, 1, 0x7fff00005000n, 9)]),
      );
      while (announced.length < 2) await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(announced, [16, 0x7fff00005]);
      first.resolve();
      const header = question(version, 6 | (4 << 16), 2, 0x10000n, 3);
      assert.deepEqual(await client.take(header.length), header);
      assert.deepEqual(await client.take(2 * PAGE), Buffer.alloc(2 * PAGE, 3));
      const second = question(version, 6 | (4 << 16), 1, 0x7fff00005000n, 9);
      assert.deepEqual(await client.take(second.length), second);
      assert.deepEqual(await client.take(PAGE), Buffer.alloc(PAGE, 9));
      await client.write(question(version, 0x1024, 0, 0n, 0));
      assert.deepEqual(await client.take(4), Buffer.alloc(4));
      await serving;
    });
  });
}

test('when pages cannot be had, CRIU is told nothing, since it would end and leave zeros', async () => {
  const source: PageSource = {
    announce: () => undefined,
    read: () => Promise.reject(new Error('the link broke')),
  };
  await withClient(40200, source, async (client, serving, server) => {
    await client.write(question(40200, 7, 1, 0x1000n, 1));
    await assert.rejects(serving, /the link broke/);
    await server.write(Buffer.from('end'));
    assert.equal((await client.take(3)).toString(), 'end');
  });
});

test('a question that no lazy restore asks is refused', async () => {
  const source: PageSource = { announce: () => undefined, read: async () => [] };
  for (const command of [3, 5, 6]) {
    await withClient(40200, source, async (client, serving) => {
      await client.write(question(40200, command, 1, 0x1000n, 1));
      await assert.rejects(serving, { code: 'RESTORE_FAILED' });
    });
  }
});
