import { setTimeout as sleep } from 'node:timers/promises';
import { connectRedis, type RedisClient } from '../../scripts/demo/redis-client.ts';
import { waitFor } from '../../src/system/clock.ts';
import { withTwoHosts } from '../../test/fixtures/two-hosts.ts';
import type { Row } from '../report.ts';
import { fillRedis, startProber, startWriter } from './client.ts';
import { cryopodMover, type Mover, podmanMover } from './engines.ts';

const MIB = 1 << 20;
const PAGE = 4096;
/** Megabits a second of the link between the hosts. */
const RATE = 1000;
/** Part of the pages that change in a second. */
const CHANGING = 0.01;
const MODES = ['cold', 'pre-copy', 'post-copy'] as const;

interface Sample {
  /** Milliseconds. */
  readonly downtime: number;
  readonly total: number;
}

export interface MigrationChoice {
  readonly rounds: number;
  readonly mebibytes: number;
  /** A podman, and what the table calls it. */
  readonly podman: string;
  readonly peer: string;
  /** Of cryopod; empty: all. */
  readonly modes: readonly string[];
}

/**
 * A Redis of 1 GiB, of which 1 % of the pages change every second, goes from one host to another over 1 Gbit/s: with
 * `cryopod migrate` in every mode, and by hand with podman. One Redis at a time, all ways in turn; the first round warms up
 * where there are several. Downtime is what a client sees, total the whole command.
 */
export async function migrationRows(choice: MigrationChoice): Promise<Row[]> {
  const samples = new Map<string, Sample[]>();
  const modes = MODES.filter((mode) => choice.modes.length === 0 || choice.modes.includes(mode));
  await withTwoHosts(
    async ({ one, two }) => {
      const movers = new Map<string, Mover>([[choice.peer, await podmanMover(one, two, choice.podman)]]);
      for (const mode of modes) movers.set(mode, cryopodMover(one, two, mode));
      await two.box.image('redis');
      try {
        for (let round = 1; round <= choice.rounds; round += 1) {
          for (const [name, mover] of movers) {
            const sample = await measureOnce(mover, choice.mebibytes);
            samples.set(name, [...(samples.get(name) ?? []), sample]);
            const { downtime, total } = sample;
            process.stderr.write(
              `migrate round ${round} ${name}: down ${downtime.toFixed(0)} ms, total ${total.toFixed(0)} ms\n`,
            );
          }
        }
      } finally {
        for (const mover of movers.values()) await mover.close();
      }
    },
    { images: ['redis'], login: 'shell', rate: RATE },
  );
  return modes.flatMap((mode) => rowsOf(mode, choice, samples));
}

/** Of podman's figure, and in milliseconds. */
const PROMISES: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  cold: { total: 0.5 },
  'post-copy': { downtime: 0.05 },
};
const LIMITS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'post-copy': { downtime: 1000 },
};

function rowsOf(
  mode: string,
  { peer, mebibytes }: MigrationChoice,
  samples: ReadonlyMap<string, readonly Sample[]>,
): Row[] {
  const figures = { downtime: 'downtime', total: 'whole' } as const;
  return Object.entries(figures).map(([key, words]) => {
    const of = (name: string): number[] =>
      (samples.get(name) ?? []).map((sample) => sample[key as keyof Sample]);
    return {
      scenario: `migrate-${mebibytes}`,
      label: `${words} of a migration of ${mebibytes} MiB over 1 Gbit/s, ${mode}`,
      unit: 'ms',
      promise: PROMISES[mode]?.[key],
      limit: LIMITS[mode]?.[key],
      values: { cryopod: of(mode), [peer]: of(peer) },
    };
  });
}

async function measureOnce(mover: Mover, mebibytes: number): Promise<Sample> {
  try {
    const host = await mover.start();
    const client = await connect(host);
    const keys = await fillRedis(client, mebibytes * MIB);
    const stop = startWriter(client, keys, (CHANGING * mebibytes * MIB) / PAGE);
    const prober = await startProber(host, 6379);
    try {
      await sleep(1000);
      const begun = performance.now();
      await mover.move();
      const total = performance.now() - begun;
      await prober.answered();
      await check(host, keys);
      return { downtime: prober.longestSilence(), total };
    } finally {
      stop();
      prober.stop();
      client.close();
    }
  } finally {
    await mover.remove();
  }
}

async function connect(host: string): Promise<RedisClient> {
  let client: RedisClient | undefined;
  await waitFor(async () => {
    client = await connectRedis(host, 6379).catch(() => undefined);
    return client !== undefined;
  }, 30_000);
  if (client === undefined) throw new Error(`no Redis answers at ${host}`);
  return client;
}

/** All values are there, and the text is what it was but for what was written into it. */
async function check(host: string, keys: number): Promise<void> {
  const client = await connectRedis(host, 6379);
  const size = await client.send('DBSIZE');
  client.close();
  if (size !== keys) throw new Error(`${size} of ${keys} values have come`);
}
