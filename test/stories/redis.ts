import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Counter } from '../../scripts/demo/counter.ts';
import { connectRedis, type RedisClient } from '../../scripts/demo/redis-client.ts';
import type { Sandbox } from '../fixtures/sandbox.ts';
import { type Endpoint, freezeAndThaw, PUBLISHED, until } from './support.ts';

export const KEYS = 100_000;
const BATCH = 1000;

const keyOf = (index: number): string => `key:${index}`;
const contentOf = (index: number): string => createHash('sha256').update(String(index)).digest('hex');

/** The numbers of the keys, one round trip's worth at a time. */
const batches = Array.from({ length: KEYS / BATCH }, (_, batch) =>
  Array.from({ length: BATCH }, (_, index) => batch * BATCH + index),
);

export async function startRedis(box: Sandbox, reach = PUBLISHED): Promise<Endpoint> {
  const server = ['redis-server', '--protected-mode', 'no', '--save', '', '--dir', '/data'];
  const options = ['-d', '--name', 'redis', ...reach.options(6379)];
  await box.ok(['run', ...options, await box.image('redis'), ...server]);
  return await reach.endpoint(box, 'redis', 6379);
}

/** The server listens a moment after its container runs. */
export async function connectWhenReady({ host, port }: Endpoint): Promise<RedisClient> {
  let client: RedisClient | undefined;
  await until('the server answers', async () => {
    client = await connectRedis(host, port).catch(() => undefined);
    return client !== undefined;
  });
  assert.ok(client);
  return client;
}

export async function fill(client: RedisClient): Promise<void> {
  for (const batch of batches) {
    await Promise.all(batch.map((index) => client.send('SET', keyOf(index), contentOf(index))));
  }
}

export async function readBack(client: RedisClient): Promise<void> {
  for (const batch of batches) {
    assert.deepEqual(await client.send('MGET', ...batch.map(keyOf)), batch.map(contentOf));
  }
}

export const connectionId = (client: RedisClient): Promise<unknown> => client.send('CLIENT', 'ID');

/** What tells one server process from another, and the whole seconds that it thinks it has been up. */
export async function identity(
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

/**
 * While the container is down the client sends on, at least `sentWhileDown` commands, and gets no answer; after the thaw it
 * gets all of them.
 */
export async function freezeWhileTalking(
  box: Sandbox,
  counter: Counter,
  sentWhileDown: number,
): Promise<void> {
  const { answered } = counter.observed();
  await until('the client talks', () => counter.observed().answered >= answered + 100);
  await freezeAndThaw(box, 'redis', async () => {
    const atFreeze = counter.observed();
    await until('the client sends', () => counter.observed().sent >= atFreeze.sent + sentWhileDown);
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
