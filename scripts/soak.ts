/**
 * npm run soak [-- WORKLOAD [ROUNDS]]: freezes and thaws Redis (`redis`) and PostgreSQL (`postgres`) under load, 200 rounds
 * each unless told otherwise, and looks for wrong bytes and for whatever becomes more from round to round. `migrate` moves
 * these and nginx between two hosts in every mode, five times there and back; modes and services may follow the rounds.
 * `interrupt` sends Ctrl-C to every command that takes long, at 20 moments each; names of commands may follow. `many` freezes
 * and thaws 50 containers with --all.
 */
import assert from 'node:assert/strict';
import { withSandbox } from '../test/fixtures/sandbox.ts';
import { soakInterruptions } from './soak/interrupt.ts';
import { soakMany } from './soak/many.ts';
import { leaks, type Measure, measure } from './soak/measure.ts';
import { soakMigration } from './soak/migrate.ts';
import { postgres } from './soak/postgres.ts';
import { redis } from './soak/redis.ts';
import type { Soak } from './soak/soak.ts';

const SOAKS: Readonly<Record<string, Soak>> = { redis, postgres };
const ROUNDS = 200;
const MOMENTS = 20;
const MANY = 50;
const MIGRATIONS = 5;
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

interface Workload {
  /** The further arguments choose among its parts. */
  readonly work: (count: number, only: readonly string[]) => Promise<void>;
  /** Rounds and the like, unless told otherwise. */
  readonly count: number;
}

const WORKLOADS: Readonly<Record<string, Workload>> = {
  ...Object.fromEntries(
    Object.keys(SOAKS).map((each) => [each, { work: (rounds: number) => soak(each, rounds), count: ROUNDS }]),
  ),
  migrate: { work: (times, only) => soakMigration({ times, only }), count: MIGRATIONS },
  interrupt: { work: soakInterruptions, count: MOMENTS },
  many: { work: soakMany, count: MANY },
};

const [name, count, ...only] = process.argv.slice(2);
for (const each of name === undefined ? Object.keys(WORKLOADS) : [name]) {
  const workload = WORKLOADS[each] ?? assert.fail(`no such workload: ${each}`);
  await workload.work(Number(count ?? workload.count), only);
}
