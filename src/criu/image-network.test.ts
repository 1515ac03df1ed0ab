import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { riskyNetworkImages } from './image-network.ts';
import { IMAGE_MAGIC } from './images.ts';
import { imageOf, message } from './view/testing.ts';

const directory = mkdtempSync(join(tmpdir(), 'cryopod-network-'));
after(() => rmSync(directory, { recursive: true, force: true }));

async function isRisky(name: string, content: Buffer | string): Promise<boolean> {
  writeFileSync(join(directory, name), content);
  const found = await riskyNetworkImages(directory, [name]);
  return found.length > 0;
}

const device = (type: number, name: string): Buffer =>
  imageOf(
    IMAGE_MAGIC.netdev,
    message([
      [1, type],
      [2, 1],
      [3, 65536],
      [4, 0],
      [5, name],
    ]),
  );

/** What ip(8) saves: a number, then messages of these kinds with a header alone. */
const saved = (...kinds: readonly number[]): Buffer =>
  Buffer.concat([
    Buffer.alloc(4),
    ...kinds.map((kind) => {
      const header = Buffer.alloc(16);
      header.writeUInt32LE(16, 0);
      header.writeUInt16LE(kind, 4);
      return header;
    }),
  ]);

test('a network that has its loopback device, addresses and routes alone is as usual', async () => {
  assert.equal(await isRisky('netdev-10.img', device(1, 'lo')), false);
  assert.equal(await isRisky('ifaddr-10.img', saved(20, 20)), false);
  assert.equal(await isRisky('route-10.img', saved(24)), false);
  assert.equal(await isRisky('route6-10.img', ''), false);
  assert.equal(await isRisky('rule-10.img', saved(32)), false);
  const tables = '# Generated\n*filter\n:INPUT ACCEPT [0:0]\n:OWN - [0:0]\nCOMMIT\n';
  assert.equal(await isRisky('iptables-10.img', tables), false);
  assert.equal(await isRisky('nftables-10.img', ''), false);
  assert.equal(await isRisky('core-1.img', 'of no concern'), false);
});

test('rules of a firewall, other devices and other messages to the kernel are told', async () => {
  const library = '*filter\n-A INPUT -m ../../../../var/evil -j ACCEPT\nCOMMIT\n';
  assert.equal(await isRisky('iptables-10.img', library), true);
  assert.equal(await isRisky('ip6tables-10.img', library), true);
  assert.equal(await isRisky('nftables-10.img', 'include "/etc/shadow"'), true);
  assert.equal(await isRisky('netdev-10.img', device(2, 'eth0')), true);
  assert.equal(await isRisky('netdev-10.img', device(1, '../lo')), true);
  // RTM_NEWLINK makes a device, also in the namespace of another process.
  assert.equal(await isRisky('route-10.img', saved(24, 16)), true);
  assert.equal(await isRisky('route-10.img', Buffer.concat([saved(24), Buffer.alloc(20)])), true);
});
