import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectRedis, type RedisClient } from '../../scripts/demo/redis-client.ts';

/** Bytes of a value: with what Redis adds it fits into 64 KiB of its allocator. */
const VALUE = 65_000;
const PAGE = 4096;
/** Values on their way at a time. */
const BATCH = 128;

/** Fills a Redis with values of so many bytes in all, every second of which is random and the others text. */
export async function fillRedis(client: RedisClient, bytes: number): Promise<number> {
  const keys = Math.ceil(bytes / VALUE);
  const text = 'what is text compresses well, '.repeat(Math.ceil(VALUE / 30)).slice(0, VALUE);
  for (let first = 0; first < keys; first += BATCH) {
    const numbers = Array.from({ length: Math.min(BATCH, keys - first) }, (_, i) => first + i);
    await Promise.all(
      numbers.map((number) => {
        // Latin-1 text has a byte for each character; in UTF-8 half of them take two.
        const value = number % 2 === 0 ? randomBytes((VALUE * 3) / 4).toString('base64') : text;
        return client.send('SET', `value:${number}`, value.slice(0, VALUE));
      }),
    );
  }
  return keys;
}

/** Writes on their way at a time: of a few clients that wait for their answers. */
const WRITES = 8;

/**
 * Writes into so many pages a second, chosen by chance, until the connection ends or it is stopped. What was due while
 * nobody answered is not made up for.
 */
export function startWriter(client: RedisClient, keys: number, pagesPerSecond: number): () => void {
  let pending = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    if (pending > 0) return;
    const due = ((performance.now() - last) * pagesPerSecond) / 1000;
    if (due < 1) return;
    last = performance.now();
    for (let i = 0; i < Math.min(due, WRITES); i += 1) {
      const key = `value:${Math.floor(Math.random() * keys)}`;
      const offset = Math.floor((Math.random() * (VALUE - PAGE)) / PAGE) * PAGE;
      pending += 1;
      client
        .send('SETRANGE', key, String(offset), randomBytes(4).toString('hex'))
        .catch(() => clearInterval(timer))
        .finally(() => {
          pending -= 1;
        });
    }
  }, 1);
  return () => clearInterval(timer);
}

export interface Prober {
  /** Milliseconds of the longest time without an answer, on whatever connection. */
  readonly longestSilence: () => number;
  /** The same on the connection that was there before; undefined where it broke. */
  readonly keptSilence: () => number | undefined;
  /** Resolves once an answer came after this moment. */
  readonly answered: () => Promise<void>;
  readonly stop: () => void;
}

const ASK_MS = 5;
/**
 * Silence after which it tries new connections as well, and how often. Not sooner: one that comes between the freeze and
 * CRIU's lock of the network waits to be accepted, and CRIU refuses to dump it. cryopod's hold comes first; podman has none.
 */
const SILENT_MS = 500;
const TRY_MS = 20;
const LIMIT_MS = 180_000;

/**
 * A client that wants answers: it asks every 5 ms over one connection, and where nothing comes for half a second tries new
 * ones beside it. So what counts is when the service answers again, not how long TCP pauses before it tries.
 */
export async function startProber(host: string, port: number): Promise<Prober> {
  let [longest, last] = [0, performance.now()];
  let [keptLongest, keptLast] = [0, performance.now()];
  let broken = false;
  const note = (): void => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const kept = await connectRedis(host, port);
  const ask = setInterval(() => {
    kept.send('PING').then(
      () => {
        note();
        keptLongest = Math.max(keptLongest, performance.now() - keptLast);
        keptLast = performance.now();
      },
      () => {
        broken = true;
      },
    );
  }, ASK_MS);
  const fresh = setInterval(() => {
    if (performance.now() - last > SILENT_MS) void once(host, port).then((ok) => (ok ? note() : undefined));
  }, TRY_MS);
  return {
    longestSilence: () => longest,
    keptSilence: () => (broken ? undefined : keptLongest),
    answered: async () => {
      const begun = performance.now();
      while (last <= begun) {
        if (performance.now() - begun > LIMIT_MS) throw new Error(`${host} does not answer any more`);
        await sleep(1);
      }
    },
    stop: () => {
      clearInterval(ask);
      clearInterval(fresh);
      kept.close();
    },
  };
}

/** Asks over a connection of its own; false where it breaks or takes longer than a second. */
async function once(host: string, port: number): Promise<boolean> {
  const connecting = connectRedis(host, port);
  const asked = connecting.then(async (client) => {
    await client.send('PING');
    return true;
  });
  const limit = sleep(1000, false);
  const answered = await Promise.race([asked.catch(() => false), limit]);
  connecting.then(
    (client) => client.close(),
    () => undefined,
  );
  return answered;
}
