import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { it, type TestContext } from 'node:test';
import { type Counter, startCounter } from '../../scripts/demo/counter.ts';
import { connectRedis, type RedisClient } from '../../scripts/demo/redis-client.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { freezeAndThaw, publishedPort, until } from './support.ts';

const KEYS = 100_000;
const BATCH = 1000;
const ROUNDS = 3;
const INCR_EVERY_MS = 5;
/** How many commands the client sends to a server that does not exist. */
const SENT_WHILE_DOWN = 200;

const keyOf = (index: number): string => `key:${index}`;
const contentOf = (index: number): string => createHash('sha256').update(String(index)).digest('hex');

/** The numbers of the keys, one round trip's worth at a time. */
const batches = Array.from({ length: KEYS / BATCH }, (_, batch) =>
  Array.from({ length: BATCH }, (_, index) => batch * BATCH + index),
);

it('a Redis full of keys is thawed with all of them, and a client that never stops sending gets every answer', (t) =>
  withSandbox((box) => story(box, t), { images: ['redis'] }));

async function story(box: Sandbox, t: TestContext): Promise<void> {
  const port = await startRedis(box);
  const client = await connectWhenReady(port);
  const talker = await connectRedis('127.0.0.1', port);
  try {
    await fill(client);
    const before = { server: await identity(client), talker: await connectionId(talker), at: Date.now() };
    const counter = startCounter(talker, 'counter', INCR_EVERY_MS);
    for (let round = 0; round < ROUNDS; round += 1) await freezeWhileTalking(box, counter);
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
    const newcomer = await connectRedis('127.0.0.1', port);
    assert.equal(await newcomer.send('DBSIZE'), KEYS + 1);
    newcomer.close();
    t.diagnostic(`${seen.sent} INCR, all answered; longest wait ${Math.round(seen.longestSilence)} ms`);
  } finally {
    talker.close();
    client.close();
  }
}

async function startRedis(box: Sandbox): Promise<number> {
  const server = ['redis-server', '--protected-mode', 'no', '--save', '', '--dir', '/data'];
  await box.ok([
    'run',
    '-d',
    '--name',
    'redis',
    '-p',
    '127.0.0.1::6379',
    await box.image('redis'),
    ...server,
  ]);
  return await publishedPort(box, 'redis', 6379);
}

/** The server listens a moment after its container runs. */
async function connectWhenReady(port: number): Promise<RedisClient> {
  let client: RedisClient | undefined;
  await until('the server answers', async () => {
    client = await connectRedis('127.0.0.1', port).catch(() => undefined);
    return client !== undefined;
  });
  assert.ok(client);
  return client;
}

async function fill(client: RedisClient): Promise<void> {
  for (const batch of batches) {
    await Promise.all(batch.map((index) => client.send('SET', keyOf(index), contentOf(index))));
  }
}

async function readBack(client: RedisClient): Promise<void> {
  for (const batch of batches) {
    assert.deepEqual(await client.send('MGET', ...batch.map(keyOf)), batch.map(contentOf));
  }
}

const connectionId = (client: RedisClient): Promise<unknown> => client.send('CLIENT', 'ID');

/** What tells one server process from another, and the whole seconds that it thinks it has been up. */
async function identity(
  client: RedisClient,
): Promise<{ runId: string; pid: string; connection: unknown; uptime: number }> {
  const info = String(await client.send('INFO', 'server'));
  const field = (name: string): string => {
    const value = new RegExp(`^${name}:(.+)\r$`, 'm').exec(info)?.[1];
    assert.ok(value, `INFO has ${name}`);
    return value;
  };
  return {
    runId: field('run_id'),
    pid: field('process_id'),
    connection: await connectionId(client),
    uptime: Number(field('uptime_in_seconds')),
  };
}

/** While the container is down the client sends on and gets no answer; after the thaw it gets all of them. */
async function freezeWhileTalking(box: Sandbox, counter: Counter): Promise<void> {
  const { answered } = counter.observed();
  await until('the client talks', () => counter.observed().answered >= answered + 100);
  await freezeAndThaw(box, 'redis', async () => {
    const atFreeze = counter.observed();
    await until('the client sends', () => counter.observed().sent >= atFreeze.sent + SENT_WHILE_DOWN);
    assert.equal(
      counter.observed().answered,
      atFreeze.answered,
      'nobody answers while the container is down',
    );
    assert.equal(counter.observed().broken, undefined);
  });
  const { sent } = counter.observed();
  await until('all that was sent is answered', () => {
    const { answered, broken } = counter.observed();
    return answered >= sent || broken !== undefined;
  });
  assert.equal(counter.observed().broken, undefined);
}
