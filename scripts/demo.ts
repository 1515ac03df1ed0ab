import { createHash } from 'node:crypto';
import { glob, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Counter, startCounter } from './demo/counter.ts';
import { connectRedis, type RedisClient } from './demo/redis-client.ts';
import { command, count, megabytes, seconds, step } from './demo/terminal.ts';

/**
 * The Redis story: a database full of data is frozen and thawed while a client keeps talking to it over one
 * connection. Everything lives in a store of its own under the temporary directory and is gone afterwards.
 */

const KEYS = 100_000;
const BATCH = 1000;
const DOWN_MS = 3000;
const INCR_EVERY_MS = 10;
/** Long enough for the client's TCP to try again after the thaw: its pauses double while nothing answers. */
const ANSWER_LIMIT_MS = 30_000;
const NAME = 'redis';

const scripts = import.meta.dirname;
const cryopodPath = join(dirname(scripts), 'bin/cryopod');
let directory = '';
class Interrupted extends Error {}

/** Ends the story early; what it made is removed by {@link cleanUp} all the same. */
const interruption = new AbortController();
const { signal } = interruption;

const cryopodArgs = (): [string, ...string[]] => [
  cryopodPath,
  ...['--root', join(directory, 'root'), '--runroot', join(directory, 'run')],
];

async function cryopod(...args: readonly string[]): Promise<{ out: string; took: number }> {
  signal.throwIfAborted();
  return await command([...cryopodArgs(), ...args]);
}

const pause = async (milliseconds: number): Promise<void> => {
  await sleep(milliseconds, undefined, { signal });
};

const keyFor = (index: number): string => `key:${String(index).padStart(6, '0')}`;
const valueFor = (index: number): string => createHash('sha256').update(String(index)).digest('hex');

/** Numbers of the keys, a batch at a time: one round trip each. */
function* batches(): Generator<readonly number[]> {
  for (let first = 0; first < KEYS; first += BATCH) yield Array.from({ length: BATCH }, (_, i) => first + i);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

async function startRedis(): Promise<number> {
  const tar = join(directory, 'redis.tar');
  const built = await command(['sh', join(scripts, 'base-image.sh'), 'redis', tar]);
  step('build', "a root file system from this machine's packages", [
    megabytes((await stat(tar)).size),
    seconds(built.took),
  ]);
  const imported = await cryopod('import', tar, 'localhost/demo/redis:latest');
  step('import', 'cryopod import redis.tar localhost/demo/redis', [seconds(imported.took)]);
  const ran = await cryopod(
    ...['run', '-d', '--name', NAME, '-p', '127.0.0.1::6379', 'localhost/demo/redis:latest'],
    ...['redis-server', '--protected-mode', 'no', '--save', '', '--dir', '/data'],
  );
  step('run', `cryopod run -d --name ${NAME} -p 127.0.0.1::6379 localhost/demo/redis redis-server …`, [
    seconds(ran.took),
  ]);
  const port = (await cryopod('port', NAME, '6379/tcp')).out.split(':').at(-1);
  return Number(port);
}

/** The server listens a moment after its container runs. */
async function connectWhenReady(port: number): Promise<RedisClient> {
  for (const deadline = performance.now() + 10_000; ; await pause(20)) {
    try {
      const client = await connectRedis('127.0.0.1', port);
      signal.addEventListener('abort', () => client.close(), { once: true });
      await client.send('PING');
      return client;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}

async function fill(client: RedisClient): Promise<void> {
  const took = await timed(async () => {
    for (const batch of batches())
      await Promise.all(batch.map((i) => client.send('SET', keyFor(i), valueFor(i))));
  });
  step('fill', `${count(KEYS)} keys over TCP`, [seconds(took)]);
}

/** What tells one server process from another, and how long it has been up (its own view, whole seconds). */
async function identity(
  client: RedisClient,
): Promise<{ runId: string; uptime: number; connection: unknown }> {
  const info = String(await client.send('INFO', 'server'));
  const field = (name: string) => new RegExp(`^${name}:(.*)\r$`, 'm').exec(info)?.[1] ?? '';
  return {
    runId: field('run_id'),
    uptime: Number(field('uptime_in_seconds')),
    connection: await client.send('CLIENT', 'ID'),
  };
}

/** Size of the memory pages in the store: the bulk of a checkpoint. */
async function pagesInStore(): Promise<number> {
  let bytes = 0;
  for await (const path of glob('**/pages-*.img', { cwd: join(directory, 'root') }))
    bytes += (await stat(join(directory, 'root', path))).size;
  return bytes;
}

async function freezeAndThaw(counter: Counter): Promise<void> {
  const frozen = await cryopod('container', 'checkpoint', '--tcp-established', NAME);
  const atFreeze = counter.observed();
  step('freeze', `cryopod container checkpoint --tcp-established ${NAME}`, [
    seconds(frozen.took),
    `${megabytes(await pagesInStore())} of memory`,
  ]);
  await pause(DOWN_MS);
  const atThaw = counter.observed();
  step('down', `for ${seconds(DOWN_MS)} no process exists; the client goes on sending`, [
    `${atThaw.sent - atFreeze.sent} INCR sent`,
    `${atThaw.answered - atFreeze.answered} answered`,
  ]);
  const thawed = await cryopod('container', 'restore', '--tcp-established', NAME);
  step('thaw', `cryopod container restore --tcp-established ${NAME}`, [seconds(thawed.took)]);
}

/** Waits until the client has had an answer to everything it had sent before this call. */
async function waitForAnswers(counter: Counter): Promise<void> {
  const { sent } = counter.observed();
  for (const deadline = performance.now() + ANSWER_LIMIT_MS; performance.now() < deadline; await pause(10)) {
    const { answered, broken } = counter.observed();
    if (answered >= sent || broken !== undefined) return;
  }
}

/** Reads every key back; gives the number of values that are not what was written. */
async function wrongValues(client: RedisClient): Promise<number> {
  let wrong = 0;
  for (const batch of batches()) {
    const values = await client.send('MGET', ...batch.map(keyFor));
    wrong += batch.filter(
      (index, place) => !Array.isArray(values) || values[place] !== valueFor(index),
    ).length;
  }
  return wrong;
}

const failures: string[] = [];

function verify(text: string, holds: boolean, figures: readonly string[] = []): void {
  step(holds ? 'ok' : 'WRONG', text, figures);
  if (!holds) failures.push(text);
}

async function story(): Promise<void> {
  console.log(`A Redis with ${count(KEYS)} keys is frozen and thawed while a client keeps talking to it.\n`);
  const client = await connectWhenReady(await startRedis());
  await fill(client);
  const before = await identity(client);
  const counter = startCounter(client, 'counter', INCR_EVERY_MS);
  step('talk', `one connection sends INCR every ${INCR_EVERY_MS} ms from now on`);
  await pause(1000);
  await freezeAndThaw(counter);
  await waitForAnswers(counter);
  const seen = await counter.finish();
  const after = await identity(client);

  console.log('');
  const size = await client.send('DBSIZE');
  verify('DBSIZE', size === KEYS + 1, [`${count(Number(size))} keys`]);
  const wrong = await wrongValues(client);
  verify('every value reads back as it was written', wrong === 0, [
    `${count(KEYS - wrong)} of ${count(KEYS)}`,
  ]);
  verify('the same server process goes on', after.runId === before.runId && after.uptime >= before.uptime, [
    `uptime ${before.uptime} s before, ${after.uptime} s now`,
  ]);
  verify('the same connection goes on', seen.broken === undefined && after.connection === before.connection, [
    `client id ${after.connection}`,
  ]);
  verify(
    'every INCR is answered once and in order',
    seen.answered === seen.sent && seen.outOfOrder === undefined,
    [`${count(seen.sent)} sent`, `${count(seen.answered)} answered`],
  );
  step('', `the longest wait for an answer was ${seconds(seen.longestSilence)}`);
}

/** Closes the connection and removes all that the demo made, after any part of the story. */
async function cleanUp(): Promise<void> {
  interruption.abort(new Error('the demo is over'));
  await command([...cryopodArgs(), 'rm', '--force', '--time', '0', '--all']);
  await rm(directory, { recursive: true, force: true });
}

async function main(): Promise<void> {
  directory = await mkdtemp(join(tmpdir(), 'cryopod-demo-'));
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.once(name, () => interruption.abort(new Interrupted(`interrupted by ${name}`)));
  try {
    await story();
  } finally {
    await cleanUp();
  }
  if (failures.length > 0) throw new Error(`not as promised: ${failures.join('; ')}`);
}

try {
  await main();
} catch (error) {
  // An interruption shows as whatever failed because of it; its own words are the reason.
  const reason = signal.reason instanceof Interrupted ? signal.reason : error;
  console.error(`demo: ${reason instanceof Error ? reason.message : String(reason)}`);
  process.exitCode = 1;
}
