import assert from 'node:assert/strict';
import { join } from 'node:path';
import { startCounter } from '../../scripts/demo/counter.ts';
import { connectRedis } from '../../scripts/demo/redis-client.ts';
import { runOk } from '../../src/system/process.ts';
import type { Profile } from '../fixtures/images.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import type { Host } from '../fixtures/two-hosts.ts';
import { startClients, startNginx, urlOf, writeFiles } from './nginx.ts';
import { CLIENTS, logged, moreTransactions, startBench, startDatabase, verify } from './postgres.ts';
import { connectionId, connectWhenReady, fill, identity, readBack, startRedis } from './redis.ts';
import { IN_SEGMENT, until } from './support.ts';

export type Mode = 'cold' | 'pre-copy' | 'post-copy';

/** A service in the segment with clients that never stop. */
export interface Load {
  /** Waits until every client has had a good number of answers more. */
  readonly more: () => Promise<void>;
  /** Lets the clients end and looks at all that they were told. Says what was seen. `moves`: how often it moved. */
  readonly finish: (moves: number) => Promise<string>;
  /** Ends the clients, also where the service is lost. */
  readonly close: () => Promise<void>;
}

export interface Workload {
  /** Also the name of the container. */
  readonly image: Profile & ('redis' | 'postgres' | 'nginx');
  readonly start: (host: Host) => Promise<Load>;
}

const INCR_EVERY_MS = 5;
/** Answers of the counter between two moves. */
const ANSWERS = 100;

/** 100,000 keys, and one connection that counts without ever waiting. */
const redis: Workload = {
  image: 'redis',
  start: async ({ box }) => {
    const server = await startRedis(box, IN_SEGMENT);
    const client = await connectWhenReady(server);
    const talker = await connectRedis(server.host, server.port);
    await fill(client);
    const before = await identity(client);
    const connection = await connectionId(talker);
    const counter = startCounter(talker, 'counter', INCR_EVERY_MS);
    return {
      more: async () => {
        const { answered } = counter.observed();
        const enough = (): boolean =>
          counter.observed().broken !== undefined || counter.observed().answered >= answered + ANSWERS;
        await until('the client talks', enough, LIMIT_MS);
        assert.equal(counter.observed().broken, undefined);
      },
      finish: async () => {
        const seen = await counter.finish();
        assert.equal(seen.broken, undefined);
        assert.equal(seen.outOfOrder, undefined);
        assert.equal(seen.answered, seen.sent);
        assert.equal(await talker.send('GET', 'counter'), String(seen.sent));
        assert.equal(await connectionId(talker), connection, 'the connection is the one it was');
        const { uptime: _, ...now } = await identity(client);
        assert.deepEqual({ ...now, uptime: before.uptime }, before, 'the server is the one it was');
        await readBack(client);
        return `${seen.sent} INCR, each answered once and in order, longest wait ${Math.round(seen.longestSilence)} ms; every key reads back`;
      },
      close: async () => {
        talker.close();
        client.close();
      },
    };
  },
};

/** pgbench moves money all the time; in the end its ledgers have one sum. */
const postgres: Workload = {
  image: 'postgres',
  start: async ({ box }) => {
    const database = await startDatabase(box, IN_SEGMENT);
    const initialize = ['--initialize', '--quiet', `--scale=${CLIENTS}`];
    await runOk(database.argv('pgbench', ...initialize), 'fill the database');
    const bench = startBench(box, database, 3600);
    const connected = async (): Promise<boolean> => (await database.backends()).length === CLIENTS;
    await until('every client has a connection', connected);
    const backends = await database.backends();
    return {
      more: () => moreTransactions(database, bench.child),
      finish: async (moves) => {
        assert.deepEqual(await database.backends(), backends, 'the connections are those they were');
        bench.stop();
        const report = await bench.report;
        const latencies = await logged(box);
        await verify(database, report, { lines: latencies.length, rounds: moves });
        const longest = Math.round(Math.max(...latencies) / 1000);
        return `${latencies.length} transactions, none lost, none twice, longest ${longest} ms; all ledgers with one sum`;
      },
      close: async () => {
        bench.child.kill('SIGKILL');
        await bench.ended;
      },
    };
  },
};

/** Files in a volume, asked for over an old connection and over new ones. */
const nginx: Workload = {
  image: 'nginx',
  start: async ({ box }) => {
    await box.ok(['volume', 'create', 'html']);
    const files = await writeFiles(join(box.root, 'volumes', 'html', '_data'));
    const clients = startClients(urlOf(await startNginx(box, 'html', IN_SEGMENT)), files);
    return { ...clients, finish: () => clients.finish() };
  },
};

export const WORKLOADS = { redis, postgres, nginx } as const;

/** What `migrate --format json` says of a move. Microseconds and bytes. */
export interface Moved {
  readonly mode: Mode;
  readonly downtime: number;
  readonly duration: number;
  readonly bytesSent: number;
  readonly rounds: number;
}

/** Moves a container with its connections, and looks that it is there and not here. */
export async function move(name: string, mode: Mode, from: Host, to: Host): Promise<Moved> {
  const words = ['--mode', mode, '--tcp-established', '--format', 'json', name, to.login];
  const output = await from.box.ok(['migrate', ...words]);
  const events = output.split('\n').map((line) => JSON.parse(line) as Moved & { event: string });
  const moved = events.find(({ event }) => event === 'moved') ?? assert.fail(output);
  assert.equal(moved.mode, mode);
  assert.equal(await from.box.ok(['ps', '--all', '--quiet']), '', 'it is not here any more');
  assert.equal(await to.box.ok(['ps', '--format', '{{.Names}}']), name);
  return moved;
}

/** There and back again, `times`; the clients get answers after every move. */
export async function thereAndBack(
  { one, two }: { readonly one: Host; readonly two: Host },
  { name, mode, load, times }: { name: string; mode: Mode; load: Load; times: number },
): Promise<readonly Moved[]> {
  const moves: Moved[] = [];
  await load.more();
  for (let round = 0; round < times; round += 1) {
    moves.push(await move(name, mode, one, two));
    await load.more();
    moves.push(await move(name, mode, two, one));
    await load.more();
  }
  return moves;
}

/** `0.61 s (0.58–0.90)`: the median, least and most of microseconds. */
export function spreadOf(micros: readonly number[]): string {
  const sorted = micros.toSorted((a, b) => a - b).map((value) => (value / 1e6).toFixed(2));
  return `${sorted[Math.floor(sorted.length / 2)]} s (${sorted[0]}–${sorted.at(-1)})`;
}
