/**
 * npm run soak [-- WORKLOAD [ROUNDS]]: freezes and thaws Redis (`redis`) and PostgreSQL (`postgres`) under load, 200 rounds
 * each unless told otherwise, and looks for wrong bytes and for whatever becomes more from round to round. `migrate` moves
 * these and nginx between two hosts in every mode, five times there and back; modes and services may follow the rounds.
 */
import assert from 'node:assert/strict';
import { withSandbox } from '../test/fixtures/sandbox.ts';
import { leaks, type Measure, measure } from './soak/measure.ts';
import { soakMigration } from './soak/migrate.ts';
import { postgres } from './soak/postgres.ts';
import { redis } from './soak/redis.ts';
import type { Soak } from './soak/soak.ts';

const SOAKS: Readonly<Record<string, Soak>> = { redis, postgres };
const ROUNDS = 200;
/** A line of figures is printed every so many rounds. */
const EVERY = 10;

const line = (round: number, seconds: number, figures: Measure): string =>
  [
    `round ${round}`,
    `${seconds.toFixed(0)} s`,
    ...Object.entries(figures).map(([name, value]) => `${name} ${value}`),
  ].join('  ');

async function soak(name: string, rounds: number): Promise<void> {
  const { image, work } = SOAKS[name] ?? assert.fail(`no such workload: ${name}`);
  const begun = performance.now();
  await withSandbox(
    async (box) => {
      let first: Measure | undefined;
      let last: Measure | undefined;
      console.log(`${name}: ${rounds} rounds`);
      const checked = await work(box, rounds, async (round) => {
        const id = await box.ok(['inspect', '--format', '{{.Id}}', image]);
        last = await measure(box, id);
        first ??= last;
        if (round === 1 || round % EVERY === 0 || round === rounds)
          console.log(line(round, (performance.now() - begun) / 1000, last));
      });
      console.log(checked);
      assert.ok(first !== undefined && last !== undefined);
      assert.deepEqual(leaks(first, last), [], 'nothing becomes more from round to round');
    },
    { images: [image] },
  );
  console.log(
    `${name}: ${rounds} rounds in ${((performance.now() - begun) / 1000).toFixed(0)} s, nothing leaked\n`,
  );
}

const MIGRATIONS = 5;

const [name, rounds, ...only] = process.argv.slice(2);
for (const each of name === undefined ? [...Object.keys(SOAKS), 'migrate'] : [name]) {
  if (each === 'migrate') await soakMigration({ times: Number(rounds ?? MIGRATIONS), only });
  else await soak(each, Number(rounds ?? ROUNDS));
}
