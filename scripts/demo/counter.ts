import type { RedisClient } from './redis-client.ts';

/** What a client that never stops asking has seen. Times are milliseconds. */
export interface Observed {
  /** Commands sent and answers received so far. */
  readonly sent: number;
  readonly answered: number;
  /** The longest time between two answers. */
  readonly longestSilence: number;
  /** The first answer that was not its predecessor plus one, or undefined. */
  readonly outOfOrder: string | undefined;
  /** Why the connection broke, or undefined. */
  readonly broken: string | undefined;
}

export interface Counter {
  observed(): Observed;
  /** Sends no more and waits until every command is answered or the connection ends. */
  finish(): Promise<Observed>;
}

/**
 * Sends INCR of one key every `interval` milliseconds over one connection, whether or not answers come, and checks
 * that they count up without a gap. Ends with the connection at the latest.
 */
export function startCounter(client: RedisClient, key: string, interval: number): Counter {
  let [sent, answered, longestSilence, lastAnswer] = [0, 0, 0, performance.now()];
  let outOfOrder: string | undefined;
  let broken: string | undefined;
  const pending = new Set<Promise<void>>();
  const observed = (): Observed => ({ sent, answered, longestSilence, outOfOrder, broken });

  const ask = async (): Promise<void> => {
    sent += 1;
    try {
      const reply = await client.send('INCR', key);
      const now = performance.now();
      longestSilence = Math.max(longestSilence, now - lastAnswer);
      lastAnswer = now;
      answered += 1;
      if (reply !== answered) outOfOrder ??= `answer ${answered} was ${reply}`;
    } catch (error) {
      broken ??= error instanceof Error ? error.message : String(error);
    }
  };
  const timer = setInterval(() => {
    const one = ask().finally(() => pending.delete(one));
    pending.add(one);
  }, interval);
  client.socket.once('close', () => clearInterval(timer));
  return {
    observed,
    finish: async () => {
      clearInterval(timer);
      await Promise.all(pending);
      return observed();
    },
  };
}
