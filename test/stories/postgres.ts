import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run, runOk } from '../../src/system/process.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import type { Sandbox } from '../fixtures/sandbox.ts';
import { PUBLISHED, until } from './support.ts';

export const CLIENTS = 4;
/** Transactions that must be done between two freezes. */
const BETWEEN = 100;

/** Sets up a database that trusts everyone, and becomes the server. */
const SERVER = `
  initdb --pgdata "$PGDATA" --auth trust --no-locale --encoding UTF8 --no-sync >&2 &&
  echo 'host all all all trust' >>"$PGDATA/pg_hba.conf" &&
  exec postgres -c listen_addresses='*' -c huge_pages=off`;

/** The database as a client on the host sees it. */
export interface Database {
  /** A client program with the options that lead to the server. */
  readonly argv: (program: string, ...options: string[]) => string[];
  readonly ask: (sql: string) => Promise<string>;
  /** Process IDs of the server's processes that serve pgbench. */
  readonly backends: () => Promise<string[]>;
}

export async function startDatabase(box: Sandbox, reach = PUBLISHED): Promise<Database> {
  const options = ['-u', 'postgres', '-e', 'PGDATA=/var/lib/postgresql/data/cluster', ...reach.options(5432)];
  const image = await box.image('postgres');
  await box.ok(['run', '-d', '--name', 'postgres', ...options, image, 'sh', '-c', SERVER]);
  const { host, port } = await reach.endpoint(box, 'postgres', 5432);
  const argv = (program: string, ...options: string[]): string[] => [
    ...[program, `--host=${host}`, `--port=${port}`, '--username=postgres', ...options, 'postgres'],
  ];
  const psql = (sql: string): string[] =>
    argv('psql', '--no-psqlrc', '--tuples-only', '--no-align', `--command=${sql}`);
  await until('the server answers', async () => (await run(psql('SELECT 1'))).ok, LIMIT_MS);
  const ask = async (sql: string): Promise<string> => (await runOk(psql(sql), 'ask the database')).trim();
  const backends = async (): Promise<string[]> =>
    (await ask(`SELECT pid FROM pg_stat_activity WHERE application_name = 'pgbench' ORDER BY pid`))
      .split('\n')
      .filter((line) => line !== '');
  return { argv, ask, backends };
}

export interface Bench {
  readonly child: ChildProcess;
  /** Lets every client end its transaction and pgbench report. */
  readonly stop: () => void;
  /** What pgbench printed; rejects where it did not end well. */
  readonly report: Promise<string>;
  readonly ended: Promise<unknown>;
}

const LOG = 'transactions';

/** Clients that do transactions without a pause until they are stopped, or for `seconds`. Each gets a line in a log. */
export function startBench(box: Sandbox, database: Database, seconds = 600): Bench {
  const [program = '', ...args] = database.argv(
    'pgbench',
    ...['--no-vacuum', `--client=${CLIENTS}`, '--jobs=2', `--time=${seconds}`],
    ...['--log', `--log-prefix=${join(box.directory, LOG)}`],
  );
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const ended = once(child, 'close');
  const report = ended.then(([code]) => {
    assert.equal(code, 0, `pgbench ended with ${code}: ${output}`);
    return output;
  });
  // Whoever waits for the report hears of it; where the test fails before that, its own error counts.
  report.catch(() => undefined);
  // The alarm is what tells pgbench that the time of --time is over.
  return { child, stop: () => child.kill('SIGALRM'), report, ended };
}

/** Waits until many transactions more are done, and every client has begun another statement. */
export async function moreTransactions(database: Database, child: ChildProcess): Promise<void> {
  const [count = '', time = ''] = (
    await database.ask('SELECT count(*), clock_timestamp() FROM pgbench_history')
  ).split('|');
  const sql = `SELECT (SELECT count(*) FROM pgbench_history) >= ${Number(count) + BETWEEN}
    AND (SELECT count(*) = ${CLIENTS} AND min(query_start) > '${time}' FROM pg_stat_activity
         WHERE application_name = 'pgbench')`;
  await until(
    'transactions go on',
    async () => child.exitCode !== null || (await database.ask(sql)) === 't',
    LIMIT_MS,
  );
  assert.equal(child.exitCode, null, 'pgbench runs');
}

/** Microseconds that each transaction took, by pgbench's log: client, number, time, … (one file for each thread). */
export async function logged(box: Sandbox): Promise<number[]> {
  const files: string[] = [];
  for await (const path of glob(`${LOG}.*`, { cwd: box.directory })) {
    files.push((await readFile(join(box.directory, path), 'utf8')).trim());
  }
  const lines = files.flatMap((text) => text.split('\n'));
  return lines.map((line) => Number(line.split(' ')[2]));
}

/** Every transaction that pgbench saw end is in the database, once, and nothing else is. */
export async function verify(
  database: Database,
  report: string,
  { lines, rounds }: { readonly lines: number; readonly rounds: number },
): Promise<void> {
  const processed = Number(/^number of transactions actually processed: (\d+)$/m.exec(report)?.[1]);
  assert.match(report, /^number of failed transactions: 0 /m);
  assert.equal(lines, processed);
  assert.ok(processed >= BETWEEN * (rounds + 1));
  assert.equal(await database.ask('SELECT count(*) FROM pgbench_history'), String(processed));
  const sums = await database.ask(`SELECT
    (SELECT sum(delta) FROM pgbench_history), (SELECT sum(abalance) FROM pgbench_accounts),
    (SELECT sum(bbalance) FROM pgbench_branches), (SELECT sum(tbalance) FROM pgbench_tellers)`);
  const [sum = '', ...others] = sums.split('|');
  assert.match(sum, /^-?\d+$/);
  assert.deepEqual(others, [sum, sum, sum]);
}
