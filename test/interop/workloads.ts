import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { waitFor } from '../../src/system/clock.ts';
import type { Profile } from '../fixtures/images.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import type { Engine } from './podman-peer.ts';

/** A container that either engine runs, and what tells whether it goes on in the other one. */
export interface Workload {
  readonly name: string;
  readonly profile: Profile;
  /** Options of `run`. */
  readonly options: readonly string[];
  readonly command: readonly string[];
  /** Waits until the processes are up, and gives them something to keep. */
  readonly prepare: (engine: Engine) => Promise<void>;
  /** What must be the same on both sides. */
  readonly keep: (engine: Engine) => Promise<unknown>;
  /** A number that only grows while the processes that were frozen live on. */
  readonly progress: (engine: Engine) => Promise<number>;
}

export const SUBNET = '10.123.45.0/24';
export const NETWORK = 'exchange';
const ADDRESS = '10.123.45.67';
const PORT = 18_080;

const exec = (engine: Engine, name: string, ...command: string[]): Promise<string> =>
  engine.ok(['exec', name, ...command]);

/** Fails the test when `condition` does not come true; commands that fail meanwhile count as "not yet". */
async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  let last: unknown;
  const came = await waitFor(async () => {
    try {
      return await condition();
    } catch (error) {
      last = error;
      return false;
    }
  }, LIMIT_MS);
  assert.ok(came, `not within 30 s: ${what}; ${String(last ?? '')}`);
}

/** What the host gets from a published port. */
async function page(port: number, path = '/'): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } });
  assert.equal(response.status, 200);
  return (await response.text()).trim();
}

const lastLine = (text: string): string => text.split('\n').at(-1) ?? '';
const lastNumber = async (engine: Engine, name: string): Promise<number> =>
  Number(lastLine(await engine.ok(['logs', '--tail', '1', name])));

/** Everything about it that an archive carries. */
const COUNTER_SCRIPT = `
  mkdir /page && echo served >/page/index.html && rm /etc/group && echo changed >/etc/passwd
  echo named >/named/file && echo anonymous >/anonymous/file && echo shared >/dev/shm/file
  exec 7>/dev/shm/open
  httpd -p 80 -h /page
  i=0
  while :; do i=$((i+1)); echo "$i" >&7; echo "$i"; sleep 0.05; done`;

const COUNTER_STATE = `
  cat /page/index.html /named/file /anonymous/file /dev/shm/file /etc/passwd
  test ! -e /etc/group && echo deleted
  echo "$FOO"; hostname; cat /proc/1/cmdline | tr '\\0' ' ' | head -c 6
  grep -c . /dev/shm/open >/dev/null && echo open`;

const COUNTER_FORMAT = [
  '{{.HostConfig.Memory}}',
  '{{index .Config.Labels "kept"}}',
  `{{(index .NetworkSettings.Networks "${NETWORK}").IPAddress}}`,
  '{{range .Mounts}}{{if ne .Type "bind"}}{{.Destination}} {{.Name}} {{end}}{{end}}',
].join('|');

const counter: Workload = {
  name: 'counter',
  profile: 'busybox',
  options: [
    ...['-e', 'FOO=bar baz', '--label', 'kept=yes', '--memory', '64m', '--hostname', 'box'],
    ...['-v', 'exchanged:/named', '-v', '/anonymous', '-p', `${PORT}:80`],
    ...['--network', NETWORK, '--ip', ADDRESS],
  ],
  command: ['sh', '-c', COUNTER_SCRIPT],
  prepare: (engine) => until('the counter counts', async () => (await lastNumber(engine, 'counter')) > 5),
  keep: async (engine) => {
    const [memory, label, address, mounts = ''] = (
      await engine.ok(['inspect', '--format', COUNTER_FORMAT, 'counter'])
    ).split('|');
    assert.deepEqual([memory, label, address], [String(64 << 20), 'yes', ADDRESS]);
    const state = await exec(engine, 'counter', 'sh', '-c', COUNTER_STATE);
    assert.equal(
      state,
      'served\nnamed\nanonymous\nshared\nchanged\ndeleted\nbar baz\nbox\nsh -c \nopen'.replace(' \n', ' '),
    );
    assert.equal(await page(PORT), 'served');
    const inside = await exec(engine, 'counter', 'ip', '-o', '-4', 'addr', 'show', 'eth0');
    assert.match(inside, new RegExp(`inet ${ADDRESS}/24 `));
    return { state, mounts: mounts.trim().split('  ').toSorted() };
  },
  progress: (engine) => lastNumber(engine, 'counter'),
};

const KEYS = 100_000;
const SAMPLES = [0, 1, 49_999, KEYS - 1];
const FILL = `for i = 0, ${KEYS - 1} do redis.call('SET', 'key:' .. i, redis.sha1hex(i)) end`;
const redisCli = (engine: Engine, ...words: string[]): Promise<string> =>
  exec(engine, 'redis', 'redis-cli', ...words);

const redis: Workload = {
  name: 'redis',
  profile: 'redis',
  options: [],
  command: ['redis-server', '--save', '', '--dir', '/data'],
  prepare: async (engine) => {
    await until('Redis answers', async () => (await redisCli(engine, 'PING')) === 'PONG');
    await redisCli(engine, 'EVAL', FILL, '0');
  },
  keep: async (engine) => {
    assert.equal(await redisCli(engine, 'DBSIZE'), String(KEYS));
    assert.equal((await redisCli(engine, '--raw', 'KEYS', 'key:*')).split('\n').length, KEYS);
    const values = await redisCli(engine, '--raw', 'MGET', ...SAMPLES.map((index) => `key:${index}`));
    const wanted = SAMPLES.map((index) => createHash('sha1').update(String(index)).digest('hex'));
    assert.deepEqual(values.split('\n'), wanted);
    return /^run_id:\w+/m.exec(await redisCli(engine, 'INFO', 'server'))?.[0];
  },
  progress: async (engine) => {
    const info = await redisCli(engine, 'INFO', 'stats');
    return Number(/^total_commands_processed:(\d+)/m.exec(info)?.[1]);
  },
};

/** Sets up a database, and becomes the server. */
const POSTGRES_SERVER = `
  initdb --pgdata "$PGDATA" --auth trust --no-locale --encoding UTF8 --no-sync >&2 &&
  exec postgres -c huge_pages=off`;
const psql = (engine: Engine, sql: string): Promise<string> =>
  exec(
    engine,
    'postgres',
    'psql',
    '--no-psqlrc',
    '--tuples-only',
    '--no-align',
    `--command=${sql}`,
    'postgres',
  );

const ROWS = 20_000;

const postgres: Workload = {
  name: 'postgres',
  profile: 'postgres',
  options: ['-u', 'postgres', '-e', 'PGDATA=/var/lib/postgresql/data/cluster'],
  command: ['sh', '-c', POSTGRES_SERVER],
  prepare: async (engine) => {
    await until('PostgreSQL answers', async () => (await psql(engine, 'SELECT 1')) === '1');
    await psql(engine, `CREATE TABLE kept AS SELECT n, n * 7 AS v FROM generate_series(1, ${ROWS}) AS n`);
    await psql(engine, 'CREATE SEQUENCE growing');
  },
  keep: async (engine) => {
    const sums = await psql(engine, 'SELECT count(*), sum(n), sum(v) FROM kept');
    assert.equal(sums, [ROWS, (ROWS * (ROWS + 1)) / 2, (7 * ROWS * (ROWS + 1)) / 2].join('|'));
    return await psql(engine, 'SELECT pg_postmaster_start_time()');
  },
  // A write-ahead log that is written on, and background processes that let it.
  progress: async (engine) =>
    Number(await psql(engine, "CHECKPOINT; SELECT nextval('growing')").then(lastLine)),
};

const NGINX_PORT = 18_081;
/** With a page of its own, and its counts, which the workers keep in shared memory. */
const NGINX_SERVER = `
  echo mine >/usr/share/nginx/html/mine.html
  sed -i '/listen 80/a location = /status { stub_status; }' /etc/nginx/nginx.conf
  exec nginx`;
const workers = (engine: Engine): Promise<string> =>
  exec(
    engine,
    'nginx',
    'sh',
    '-c',
    'for p in /proc/[1-9]*; do tr "\\0" " " <$p/cmdline; echo " $p"; done | grep ^nginx:',
  );

const nginx: Workload = {
  name: 'nginx',
  profile: 'nginx',
  options: ['-p', `${NGINX_PORT}:80`],
  command: ['sh', '-c', NGINX_SERVER],
  prepare: () => until('nginx answers', async () => (await page(NGINX_PORT)) !== ''),
  keep: async (engine) => {
    assert.equal(await page(NGINX_PORT), 'served from a container');
    assert.equal(await page(NGINX_PORT, '/mine.html'), 'mine');
    const processes = await workers(engine);
    assert.equal(processes.match(/worker process/g)?.length, 2);
    return processes;
  },
  progress: async () => {
    const status = await page(NGINX_PORT, '/status');
    return Number(/^ \d+ \d+ (\d+)/m.exec(status)?.[1]);
  },
};

/** Two threads that count in memory that all threads share, and a child that counts in System V shared memory. */
const PERL_SCRIPT = `
  use strict; use warnings; use threads; use threads::shared; use Time::HiRes 'sleep';
  $| = 1;
  my $segment = shmget(0, 4096, 0600 | 01000) // die "shmget: $!";
  shmwrite($segment, pack('Q', 0), 0, 8) or die "shmwrite: $!";
  my $child = fork // die "fork: $!";
  if (!$child) { for (my $n = 1;; $n++) { shmwrite($segment, pack('Q', $n), 0, 8) or exit; sleep 0.02 } }
  my @beats : shared = (0, 0);
  for my $index (0, 1) { threads->create(sub { while (1) { { lock(@beats); $beats[$index]++ } sleep 0.02 } })->detach }
  while (1) {
    my $buffer;
    shmread($segment, $buffer, 0, 8) or die "shmread: $!";
    my @all = (do { lock(@beats); @beats }, unpack 'Q', $buffer);
    print join(' ', @all), "\\n";
    sleep 0.05;
  }`;

const perlNumbers = async (engine: Engine): Promise<number[]> =>
  lastLine(await engine.ok(['logs', '--tail', '1', 'perl']))
    .split(' ')
    .map(Number);

/** The least of the three counts: it grows when all of them do. */
const perl: Workload = {
  name: 'perl',
  profile: 'perl',
  options: [],
  command: ['perl', '-e', PERL_SCRIPT],
  prepare: (engine) =>
    until('all threads count', async () => (await perlNumbers(engine)).every((count) => count > 10)),
  keep: async (engine) => {
    const tasks = await exec(
      engine,
      'perl',
      'sh',
      '-c',
      'ls /proc/1/task | wc -l; tail -n +2 /proc/sysvipc/shm | wc -l',
    );
    assert.deepEqual(tasks.split(/\s+/), ['3', '1']);
    return tasks;
  },
  progress: async (engine) => Math.min(...(await perlNumbers(engine))),
};

export const WORKLOADS: readonly Workload[] = [counter, redis, postgres, nginx, perl];
