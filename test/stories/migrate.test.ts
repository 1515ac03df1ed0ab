import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import type { Attachment, Shape } from '../fixtures/segment.ts';
import { withTwoHosts } from '../fixtures/two-hosts.ts';
import { type Mode, spreadOf, thereAndBack, WORKLOADS } from './moving.ts';

interface Story extends Shape {
  readonly mode: Mode;
  readonly name: keyof typeof WORKLOADS;
  readonly attachment: Attachment;
  /** Milliseconds. */
  readonly delay?: number;
}

/** One service a mode; `npm run soak -- migrate` takes all with all, five times there and back. */
const STORIES: readonly Story[] = [
  { mode: 'cold', name: 'nginx', attachment: 'bridge', rate: 1000 },
  { mode: 'pre-copy', name: 'postgres', attachment: 'macvlan', rate: 1000 },
  { mode: 'post-copy', name: 'redis', attachment: 'macvlan', rate: 100, delay: 20 },
];

for (const told of STORIES) {
  const { mode, name, attachment, rate, delay = 0 } = told;
  it(`${name} moves to another host and back, ${mode}, over ${attachment}, ${rate} Mbit/s and ${delay} ms, and its clients keep their connections`, (t) =>
    story(t, told));
}

async function story(t: TestContext, { mode, name, ...link }: Story): Promise<void> {
  const { image, start } = WORKLOADS[name];
  await withTwoHosts(
    async (hosts) => {
      const load = await start(hosts.one);
      try {
        const look = ['migrate', '--dry-run', '--tcp-established', name, hosts.two.login];
        assert.match(await hosts.one.box.ok(look), /network +lan: 10\.79\.0\.\d+ moves along/);
        const moves = await thereAndBack(hosts, { name, mode, load, times: 1 });
        const seen = await load.finish(moves.length);
        t.diagnostic(`down for ${spreadOf(moves.map(({ downtime }) => downtime))}; ${seen}`);
      } finally {
        await load.close();
      }
    },
    { images: [image], ...link },
  );
}
