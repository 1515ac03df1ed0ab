import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { startCounter } from '../../scripts/demo/counter.ts';
import { connectRedis } from '../../scripts/demo/redis-client.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import {
  connectionId,
  connectWhenReady,
  fill,
  freezeWhileTalking,
  identity,
  KEYS,
  readBack,
  startRedis,
} from './redis.ts';

const ROUNDS = 3;
const INCR_EVERY_MS = 5;
/** How many commands the client sends to a server that does not exist. */
const SENT_WHILE_DOWN = 200;

it('a Redis full of keys is thawed with all of them, and a client that never stops sending gets every answer', (t) =>
  withSandbox((box) => story(box, t), { images: ['redis'] }));

async function story(box: Sandbox, t: TestContext): Promise<void> {
  const server = await startRedis(box);
  const client = await connectWhenReady(server);
  const talker = await connectRedis(server.host, server.port);
  try {
    await fill(client);
    const before = { server: await identity(client), talker: await connectionId(talker), at: Date.now() };
    const counter = startCounter(talker, 'counter', INCR_EVERY_MS);
    for (let round = 0; round < ROUNDS; round += 1) await freezeWhileTalking(box, counter, SENT_WHILE_DOWN);
    const seen = await counter.finish();

    assert.equal(seen.broken, undefined);
    assert.equal(seen.outOfOrder, undefined);
    assert.equal(seen.answered, seen.sent);
    assert.equal(await talker.send('GET', 'counter'), String(seen.sent));
    assert.equal(await connectionId(talker), before.talker, 'the connection is the one it was');
    const { uptime, ...process } = await identity(client);
    const passed = Math.floor((Date.now() - before.at) / 1000);
    assert.deepEqual({ ...process, uptime: before.server.uptime }, before.server);
    assert.ok(uptime >= before.server.uptime + passed - 1, `uptime ${uptime} s after ${passed} s more`);
    await readBack(client);
    const newcomer = await connectRedis(server.host, server.port);
    assert.equal(await newcomer.send('DBSIZE'), KEYS + 1);
    newcomer.close();
    t.diagnostic(`${seen.sent} INCR, all answered; longest wait ${Math.round(seen.longestSilence)} ms`);
  } finally {
    talker.close();
    client.close();
  }
}
