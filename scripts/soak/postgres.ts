import assert from 'node:assert/strict';
import { runOk } from '../../src/system/process.ts';
import type { Sandbox } from '../../test/fixtures/sandbox.ts';
import {
  CLIENTS,
  logged,
  moreTransactions,
  startBench,
  startDatabase,
  verify,
} from '../../test/stories/postgres.ts';
import { freezeAndThaw, until } from '../../test/stories/support.ts';
import type { Soak } from './soak.ts';

/** pgbench moves money all the time; in the end its three ledgers and the history must have one sum. */
export const postgres: Soak = {
  image: 'postgres',
  work: async (box: Sandbox, rounds, onRound) => {
    const database = await startDatabase(box);
    const initialize = ['--initialize', '--quiet', `--scale=${CLIENTS}`];
    await runOk(database.argv('pgbench', ...initialize), 'fill the database');
    const bench = startBench(box, database, rounds * 60);
    try {
      await until(
        'every client has a connection',
        async () => (await database.backends()).length === CLIENTS,
      );
      const backends = await database.backends();
      for (let round = 1; round <= rounds; round += 1) {
        await moreTransactions(database, bench.child);
        await freezeAndThaw(box, 'postgres', async () => undefined);
        await onRound(round);
      }
      await moreTransactions(database, bench.child);
      assert.deepEqual(await database.backends(), backends, 'the connections are those they were');
      bench.stop();
      const report = await bench.report;
      const { length: lines } = await logged(box);
      await verify(database, report, { lines, rounds });
      return `${lines} transactions, none lost, none done twice, all ledgers with one sum`;
    } finally {
      bench.child.kill('SIGKILL');
      await bench.ended;
    }
  },
};
