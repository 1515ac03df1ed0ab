import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { FAULT_POINTS, type FaultPoint } from '../../src/system/faults.ts';
import { assertExactlyOne, cutAt, type Pair, type Place, via, withPair } from '../fixtures/moving.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';
import { ACTIONS, assertCountsOn, assertSettled, REMOVE, RUN, status } from './support.ts';

/** Passed by another mode: post-copy.test.ts. */
const ELSEWHERE: readonly string[] = ['receive.pages', 'receive.whole'];

const pointsOf = (part: string): FaultPoint[] =>
  FAULT_POINTS.filter((one) => one.startsWith(`${part}.`) && !ELSEWHERE.includes(one));

/** Passed only where the target cannot say what became of the container. */
const IN_DOUBT: readonly string[] = ['migrate.doubtful', 'migrate.kept-here'];

const MOVE = ['migrate', '--mode', 'cold', '--compress', 'none'];

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

/** What breaks at a point is undone in one way; all of it takes too long for every run. */
const actionsAt = (at: number): readonly string[] =>
  process.env.CRYOPOD_TEST_ALL === undefined ? ['kill', at % 2 === 0 ? 'eio' : 'enospc'] : ACTIONS;

const faultsOf = (points: readonly FaultPoint[]): string[] =>
  points.flatMap((point, at) => actionsAt(at).map((action) => `${point}:${action}`));

test('a source that breaks anywhere leaves the container in exactly one place', async () => {
  await withPair(async (pair) => {
    const faults = faultsOf(pointsOf('migrate').filter((point) => !IN_DOUBT.includes(point)));
    await breakAll(pair, faults, async ({ source, target }, fault) => {
      await source.cryopod([...MOVE, ...via(target), 'c'], { CRYOPOD_FAULT: fault });
    });
  });
});

test('a source that breaks while connections come to rest leaves the container running there, with its packets flowing', () =>
  withSandbox(async (source) => {
    await withSandbox(async (target) => {
      await source.ok(RUN);
      await assertCountsOn(source);
      for (const action of ACTIONS) {
        const move = [...MOVE, '--tcp-established', ...via(target), 'c'];
        const { code } = await source.cryopod(move, { CRYOPOD_FAULT: `hold.draining:${action}` });
        assert.notEqual(code, 0, action);
        await source.ok(['ps']);
        await assertCountsOn(source);
        await assertSettled(source);
      }
      // Its network would count as left behind by the target.
      await source.ok(REMOVE);
    });
  }));

test('a target that breaks anywhere leaves the container in exactly one place', async () => {
  await withPair(async (pair) => {
    await breakAll(pair, faultsOf(pointsOf('receive')), async ({ source, target }, fault) => {
      const env = [`CRYOPOD_FAULT=${fault}`];
      await source.cryopod([...MOVE, ...via(target, { env }), 'c']);
    });
  });
});

/** Points at which both sides still have to hear from each other. */
const CUTS: readonly FaultPoint[] = [
  ...pointsOf('receive'),
  'migrate.journalled',
  'migrate.sent',
  'migrate.prepared',
  'migrate.handed-over',
  'migrate.committed',
];

test('a link that is cut anywhere leaves the container in exactly one place', async () => {
  await withPair((pair) =>
    breakAll(pair, CUTS, (place, point) =>
      cutAt(place, { point: point as FaultPoint, isHere: point.startsWith('migrate.'), move: MOVE }),
    ),
  );
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
    const doubtAt = async ({ source, target }: Place, fault: string): Promise<string> => {
      await writeFile(file, '');
      const link = once(target, file, [`CRYOPOD_FAULT=${fault}`]);
      return (await source.cryopod([...MOVE, ...link, 'c'])).stderr;
    };
    const place = turn(pair, pair.one);
    const told = await doubtAt(place, 'receive.committed:kill');
    assert.match(told, /which has not said whether it runs there: .*complete checkpoint/);
    assert.equal(await status(place.source), 'exited:true');
    const silent = await place.source.cryopod(['migrate', '--settle', 'c']);
    assert.match(silent.stderr, /could not be asked about c, which stays in doubt/);
    await writeFile(file, '');
    assert.equal(await assertExactlyOne(pair, 'failed there'), place.source);
    // What was said is lost, and it runs there.
    await doubtAt(place, 'receive.running:kill');
    await writeFile(file, '');
    assert.equal(await assertExactlyOne(pair, 'runs there'), place.target);
    const { source, target } = turn(pair, place.target);
    await doubtAt({ source, target }, 'receive.committed:kill');
    await target.ok(['ps']);
    await source.ok(['migrate', '--settle', '--here', 'c']);
    assert.equal(await assertExactlyOne(pair, '--here'), source);
  });
});

test('a source that dies while its container is in doubt keeps it frozen until it is a checkpoint', async () => {
  await withPair(async (pair) => {
    const file = join(pair.one.directory, 'once');
    let place = turn(pair, pair.one);
    for (const fault of ['migrate.doubtful:kill', 'migrate.kept-here:enospc']) {
      await writeFile(file, '');
      const { source, target } = place;
      const link = once(target, file, ['CRYOPOD_FAULT=receive.committed:kill']);
      await source.cryopod([...MOVE, ...link, 'c'], { CRYOPOD_FAULT: fault });
      await writeFile(file, '');
      place = turn(pair, await assertExactlyOne(pair, fault));
    }
  });
});
