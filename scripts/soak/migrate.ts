import { withTwoHosts } from '../../test/fixtures/two-hosts.ts';
import { type Mode, spreadOf, thereAndBack, WORKLOADS } from '../../test/stories/moving.ts';

const MODES: readonly Mode[] = ['cold', 'pre-copy', 'post-copy'];

export interface MigrationSoak {
  /** There and back. */
  readonly times: number;
  /** Modes or services; empty: all. */
  readonly only: readonly string[];
}

/** Megabits a second between the two hosts. */
const RATE = 1000;

/**
 * Moves every service in every mode there and back under load, over a link of 1 Gbit/s, and prints a line of Markdown for
 * each. Fails where a client lost anything.
 */
export async function soakMigration({ times, only }: MigrationSoak): Promise<void> {
  console.log(
    `| mode | service | moves | downtime | in all | what the clients saw |\n|---|---|---|---|---|---|`,
  );
  const chosen = <T extends string>(names: readonly T[]): readonly T[] =>
    names.some((name) => only.includes(name)) ? names.filter((name) => only.includes(name)) : names;
  for (const mode of chosen(MODES)) {
    for (const name of chosen(Object.keys(WORKLOADS) as (keyof typeof WORKLOADS)[])) {
      const { image, start } = WORKLOADS[name];
      // By turns, so that both ways into the segment are used.
      const attachment = name === 'nginx' ? 'bridge' : 'macvlan';
      await withTwoHosts(
        async (hosts) => {
          const load = await start(hosts.one);
          try {
            const moves = await thereAndBack(hosts, { name, mode, load, times });
            const seen = await load.finish(moves.length);
            const down = spreadOf(moves.map(({ downtime }) => downtime));
            const whole = spreadOf(moves.map(({ duration }) => duration));
            console.log(`| ${mode} | ${name} | ${moves.length} | ${down} | ${whole} | ${seen} |`);
          } finally {
            await load.close();
          }
        },
        { images: [image], attachment, rate: RATE },
      );
    }
  }
}
