import assert from 'node:assert/strict';
import { type Cryopod, cryopod, discard, IMAGE, importImage, otherCryopod, runMemory } from '../engines.ts';
import { checkMemory, gone, reach } from '../memory.ts';
import { type Note, ok, type Scenario } from '../scenario.ts';

/**
 * A freeze and a thaw take the guest some ten times what they take the host, so that its link is that much slower too: what
 * 1 GiB is at 1 Gbit/s, this is at so many bytes a second.
 */
const MIB = 128;
const LINK = '4m';
/** Milliseconds for a move. */
const PATIENCE = 180_000;

interface Moved {
  readonly rounds: number;
  readonly downtime: number;
  readonly duration: number;
  readonly bytesSent: number;
}

/** Moves the container `m` from one store to the other; microseconds. */
async function move(from: Cryopod, to: Cryopod, mode: string): Promise<Moved> {
  const via = `'sh' '-c' 'exec ${to.argv.join(' ')} receive' '--'`;
  const options = ['--format', 'json', '--mode', mode, '--compress', 'none', '--bwlimit', LINK, '--via', via];
  const lines = await ok([...from.argv, 'migrate', ...options, 'm'], undefined, PATIENCE);
  return JSON.parse(lines.split('\n').at(-1) ?? '') as Moved;
}

const told = ({ downtime, duration, bytesSent, rounds }: Moved): string =>
  `down for ${(downtime / 1e6).toFixed(2)} s of ${(duration / 1e6).toFixed(1)} s, ${(bytesSent / 2 ** 20).toFixed(1)} MiB, ${rounds} rounds`;

export const MIGRATE: readonly Scenario[] = [
  {
    name: 'cryopod moves a container in rounds that the kernel tells changes of, and is down for a fraction of one pass',
    run: async (note: Note) => {
      await importImage();
      await runMemory(cryopod, 'm', MIB);
      let floor = await reach(5);
      const inRounds = await move(cryopod, otherCryopod, 'pre-copy');
      note(`in rounds: ${told(inRounds)}`);
      floor = await checkMemory(floor);
      const cold = await move(otherCryopod, cryopod, 'cold');
      note(`in one pass: ${told(cold)}`);
      note(`ratio of downtimes: ${(inRounds.downtime / cold.downtime).toFixed(2)}`);
      await checkMemory(floor);
      assert.ok(inRounds.rounds >= 2);
      // On a host that has time for its guest it is less than 0.3.
      assert.ok(inRounds.downtime <= cold.downtime * 0.5, `${inRounds.downtime} against ${cold.downtime} µs`);
      await discard(cryopod, 'm');
      await gone();
      await otherCryopod(['rmi', IMAGE]);
      await ok(['rm', '-rf', '/var/lib/other', '/run/other']);
    },
  },
];
