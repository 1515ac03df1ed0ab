import assert from 'node:assert/strict';
import { test } from 'node:test';
import { givePages, MOST_PAGES, takePages } from './pages.ts';
import type { Channel } from './wire.ts';

const PAGE = 4096;

/** A channel whose bytes come cut into pieces of `cut`, and what was written to it. */
function channelOf(
  incoming: Buffer,
  cut: number,
): { readonly channel: Channel; readonly written: () => Buffer } {
  const parts: Buffer[] = [];
  let at = 0;
  return {
    written: () => Buffer.concat(parts),
    channel: {
      write: async (bytes) => {
        parts.push(Buffer.from(bytes));
      },
      end: async () => undefined,
      read: async () => {
        if (at >= incoming.length) return undefined;
        const part = incoming.subarray(at, at + cut);
        at += part.length;
        return part;
      },
    },
  };
}

const nothing = Buffer.alloc(0);

test('questions and answers arrive as they were, however the stream is cut', async () => {
  const asking = channelOf(nothing, 1);
  const wanted = { process: 7, page: 0x7fff_1234_5, pages: 3, urgent: true };
  await takePages(asking.channel, PAGE).ask(wanted);
  const giving = channelOf(asking.written(), 3);
  const giver = givePages(giving.channel);
  assert.deepEqual(await giver.next(), wanted);
  assert.equal(await giver.next(), undefined);
  const { urgent: _, ...range } = wanted;
  const bytes = Buffer.alloc(3 * PAGE, 'x');
  await giver.answer(range, bytes);
  const taker = takePages(channelOf(giving.written(), 1000).channel, PAGE);
  assert.deepEqual(await taker.next(), { range, bytes });
  assert.equal(await taker.next(), undefined);
});

test('what no other side of cryopod sends is refused before anything is kept for it', async () => {
  for (const pages of [0, MOST_PAGES + 1, 0xffffffff]) {
    const head = Buffer.alloc(16);
    head.writeUInt32BE(pages, 4);
    await assert.rejects(takePages(channelOf(head, 16).channel, PAGE).next(), { code: 'PEER_INVALID' });
  }
  const cutOff = Buffer.alloc(16 + 100);
  cutOff.writeUInt32BE(1, 4);
  await assert.rejects(takePages(channelOf(cutOff, 50).channel, PAGE).next(), { code: 'PEER_INVALID' });
  const farAway = Buffer.alloc(20, 0xff);
  await assert.rejects(givePages(channelOf(farAway, 20).channel).next(), { code: 'PEER_INVALID' });
});
