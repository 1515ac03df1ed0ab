import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { FAULT_POINTS, type FaultPoint } from '../../src/system/faults.ts';
import { processStat } from '../../src/system/procfs.ts';
import { eventually } from '../contract/support.ts';
import { assertExactlyOne, type Pair, relayTo, via, withPair } from '../fixtures/moving.ts';
import type { Sandbox } from '../fixtures/sandbox.ts';
import { ACTIONS, status } from './support.ts';

const pointsOf = (part: string): FaultPoint[] => FAULT_POINTS.filter((one) => one.startsWith(`${part}.`));

/** Passed only where the target cannot say what became of the container. */
const IN_DOUBT: readonly string[] = ['migrate.doubtful', 'migrate.kept-here'];

const MOVE = ['migrate', '--mode', 'cold', '--compress', 'none'];

/** The store that has the container, and the other one. */
interface Place {
  source: Sandbox;
  target: Sandbox;
}

const turn = (pair: Pair, source: Sandbox): Place => ({
  source,
  target: source === pair.one ? pair.other : pair.one,
});

/** Breaks moves one after another, each from where the one before has left the container. */
async function breakAll(
  pair: Pair,
  faults: readonly string[],
  move: (place: Place, fault: string) => Promise<void>,
): Promise<void> {
  let place = turn(pair, pair.one);
  for (const fault of faults) {
    await move(place, fault);
    place = turn(pair, await assertExactlyOne(pair, fault));
  }
}

for (const action of ACTIONS) {
  test(`a source that breaks anywhere (${action}) leaves the container in exactly one place`, async () => {
    await withPair(async (pair) => {
      const faults = pointsOf('migrate').filter((point) => !IN_DOUBT.includes(point));
      await breakAll(pair, faults, async ({ source, target }, fault) => {
        const env = { CRYOPOD_FAULT: `${fault}:${action}` };
        await source.cryopod([...MOVE, ...via(target), 'c'], env);
      });
    });
  });

  test(`a target that breaks anywhere (${action}) leaves the container in exactly one place`, async () => {
    await withPair(async (pair) => {
      await breakAll(pair, pointsOf('receive'), async ({ source, target }, fault) => {
        const env = [`CRYOPOD_FAULT=${fault}:${action}`];
        await source.cryopod([...MOVE, ...via(target, { env }), 'c']);
      });
    });
  });
}

/** Points at which both sides still have to hear from each other. */
const CUTS: readonly FaultPoint[] = [
  ...pointsOf('receive'),
  'migrate.journalled',
  'migrate.sent',
  'migrate.prepared',
  'migrate.handed-over',
  'migrate.committed',
];

/** Lets a move stop at a point, cuts its link, and lets it go on. */
async function cutAt({ source, target }: Place, point: FaultPoint): Promise<void> {
  const file = join(source.directory, 'pids');
  await rm(file, { force: true });
  const fault = `${point}:stop`;
  const isHere = point.startsWith('migrate.');
  const link = via(target, { env: isHere ? [] : [`CRYOPOD_FAULT=${fault}`], relay: relayTo(file) });
  const moving = source.cryopod([...MOVE, ...link, 'c'], isHere ? { CRYOPOD_FAULT: fault } : {});
  await eventually('the link is there', async () => existsSync(file));
  const [relay = 0, receiver = 0] = (await readFile(file, 'utf8')).split(' ').map(Number);
  const stopped = isHere ? (processStat(relay)?.parent ?? 0) : receiver;
  await eventually(`${fault}`, async () => processStat(stopped)?.state === 'T');
  process.kill(relay, 'SIGKILL');
  process.kill(stopped, 'SIGCONT');
  await moving;
  await eventually('the target has come to its end', async () => processStat(receiver) === undefined);
}

test('a link that is cut anywhere leaves the container in exactly one place', async () => {
  await withPair((pair) => breakAll(pair, CUTS, (place, point) => cutAt(place, point as FaultPoint)));
});

/** A link that works once: the target cannot be asked afterwards. */
const once = (target: Sandbox, file: string, env: readonly string[] = []): string[] => {
  const command = [...target.argv, 'receive'].join(' ');
  const words = ['env', ...env, 'sh', '-c', `rm ${file} && exec ${command}`, '--'];
  return ['--via', words.map((word) => `"${word}"`).join(' ')];
};

test('a container whose new host is silent is stopped here, in doubt until that is asked or given up', async () => {
  await withPair(async (pair) => {
    const file = join(pair.one.directory, 'once');
    let place = turn(pair, pair.one);
    for (const fault of [
      'receive.prepared:kill',
      'receive.committed:kill',
      'receive.running:kill',
    ] as const) {
      await writeFile(file, '');
      const { source, target } = place;
      const broken = await source.cryopod([...MOVE, ...once(target, file, [`CRYOPOD_FAULT=${fault}`]), 'c']);
      assert.notEqual(broken.code, 0, fault);
      if (fault === 'receive.prepared:kill') assert.match(broken.stderr, /goes on running/);
      else {
        assert.match(broken.stderr, /which has not said whether it runs there: .*complete checkpoint/);
        assert.equal(await status(source), 'exited:true');
        const silent = await source.cryopod(['migrate', '--settle', 'c']);
        assert.match(silent.stderr, /could not be asked about c, which stays in doubt/);
        await writeFile(file, '');
      }
      place = turn(pair, await assertExactlyOne(pair, fault));
    }
    // What was asked for is known: the operator's word that the other one is dead.
    await writeFile(file, '');
    const { source, target } = place;
    await source.cryopod([...MOVE, ...once(target, file, ['CRYOPOD_FAULT=receive.committed:kill']), 'c']);
    await target.ok(['ps']);
    await source.ok(['migrate', '--settle', '--here', 'c']);
    await assertExactlyOne(pair, '--here');
  });
});

test('a source that dies while its container is in doubt keeps it frozen until it is a checkpoint', async () => {
  await withPair(async (pair) => {
    const file = join(pair.one.directory, 'once');
    let place = turn(pair, pair.one);
    for (const fault of [...IN_DOUBT.map((point) => `${point}:kill`), 'migrate.kept-here:enospc']) {
      await writeFile(file, '');
      const { source, target } = place;
      const link = once(target, file, ['CRYOPOD_FAULT=receive.committed:kill']);
      await source.cryopod([...MOVE, ...link, 'c'], { CRYOPOD_FAULT: fault });
      await writeFile(file, '');
      place = turn(pair, await assertExactlyOne(pair, fault));
    }
  });
});
