import assert from 'node:assert/strict';
import type { Sandbox } from '../../test/fixtures/sandbox.ts';
import {
  connectionId,
  connectWhenReady,
  fill,
  freezeWhileTalking,
  readBack,
  startRedis,
} from '../../test/stories/redis.ts';
import { startCounter } from '../demo/counter.ts';
import { connectRedis } from '../demo/redis-client.ts';
import type { Soak } from './soak.ts';

/** Milliseconds between two commands of the client that never stops. */
const INCR_EVERY_MS = 5;
/** A short gap, so that TCP does not wait long before it tries again. */
const SENT_WHILE_DOWN = 20;

/** Every value is read back after every round, and every command of one connection is answered once and in order. */
export const redis: Soak = {
  image: 'redis',
  work: async (box: Sandbox, rounds, onRound) => {
    const server = await startRedis(box);
    const client = await connectWhenReady(server);
    const talker = await connectRedis(server.host, server.port);
    try {
      await fill(client);
      const connection = await connectionId(talker);
      const counter = startCounter(talker, 'counter', INCR_EVERY_MS);
      for (let round = 1; round <= rounds; round += 1) {
        await freezeWhileTalking(box, counter, SENT_WHILE_DOWN);
        await readBack(client);
        await onRound(round);
      }
      const seen = await counter.finish();
      assert.equal(seen.broken, undefined);
      assert.equal(seen.outOfOrder, undefined);
      assert.equal(seen.answered, seen.sent);
      assert.equal(await client.send('GET', 'counter'), String(seen.sent));
      assert.equal(await connectionId(talker), connection);
      return `${seen.sent} commands, each answered once and in order`;
    } finally {
      talker.close();
      client.close();
    }
  },
};
