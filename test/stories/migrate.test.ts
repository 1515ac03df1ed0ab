import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { withTwoHosts } from '../fixtures/two-hosts.ts';
import { type Mode, spreadOf, thereAndBack, WORKLOADS } from './moving.ts';

/** One service a mode; `npm run soak -- migrate` takes all with all, five times there and back. */
const STORIES = [
  { mode: 'cold', name: 'nginx', attachment: 'bridge' },
  { mode: 'pre-copy', name: 'postgres', attachment: 'macvlan' },
  { mode: 'post-copy', name: 'redis', attachment: 'macvlan' },
] as const;

for (const { mode, name, attachment } of STORIES) {
  it(`${name} moves to another host and back, ${mode}, over ${attachment}, and its clients keep their connections`, (t) =>
    story(t, mode, name, attachment));
}

async function story(
  t: TestContext,
  mode: Mode,
  name: keyof typeof WORKLOADS,
  attachment: 'macvlan' | 'bridge',
): Promise<void> {
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
    { images: [image], attachment },
  );
}
