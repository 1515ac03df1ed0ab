import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { runOk } from '../../src/system/process.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { CLIENTS, logged, moreTransactions, startBench, startDatabase, verify } from './postgres.ts';
import { freezeAndThaw, until } from './support.ts';

const ROUNDS = 10;

it('PostgreSQL under pgbench is frozen and thawed ten times without losing a transaction', (t) =>
  withSandbox((box) => story(box, t), { images: ['postgres'] }));

async function story(box: Sandbox, t: TestContext): Promise<void> {
  const database = await startDatabase(box);
  await runOk(database.argv('pgbench', '--initialize', '--quiet', `--scale=${CLIENTS}`), 'fill the database');
  const bench = startBench(box, database);
  let longestRound = 0;
  try {
    await until('every client has a connection', async () => (await database.backends()).length === CLIENTS);
    const backends = await database.backends();
    for (let round = 0; round < ROUNDS; round += 1) {
      await moreTransactions(database, bench.child);
      longestRound = Math.max(longestRound, await freezeAndThaw(box, 'postgres', async () => undefined));
    }
    await moreTransactions(database, bench.child);
    assert.deepEqual(await database.backends(), backends, 'the connections are those they were');
    bench.stop();
    const report = await bench.report;
    const latencies = await logged(box);
    await verify(database, report, { lines: latencies.length, rounds: ROUNDS });
    const longest = Math.round(Math.max(...latencies) / 1000);
    t.diagnostic(
      `${ROUNDS} rounds of at most ${Math.round(longestRound)} ms, ${latencies.length} transactions, longest ${longest} ms`,
    );
  } finally {
    bench.child.kill('SIGKILL');
    await bench.ended;
  }
}
