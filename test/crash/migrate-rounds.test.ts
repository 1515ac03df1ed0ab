import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAULT_POINTS, type FaultPoint } from '../../src/system/faults.ts';
import { assertExactlyOne, type Pair, via, withPair } from '../fixtures/moving.ts';
import type { Sandbox } from '../fixtures/sandbox.ts';
import { ACTIONS } from './support.ts';

const MOVE = ['migrate', '--mode', 'pre-copy', '--compress', 'none', '--max-rounds', '2'];
/** With files that are worth a round of their own. */
const COLD = ['migrate', '--mode', 'cold', '--compress', 'none', '--bwlimit', '50m'];
const FILES = ['dd', 'if=/dev/urandom', 'of=/files', 'bs=1M', 'count=8'];

const HERE: readonly FaultPoint[] = ['rounds.journalled', 'rounds.sent'];
const THERE: readonly FaultPoint[] = ['rounds.kept'];

/** Of the hand-over, which is every mode's: those at which this one has more to clean up. */
const HAND_OVER: readonly FaultPoint[] = [
  'migrate.sent',
  'migrate.handed-over',
  'receive.taken',
  'receive.prepared',
  'receive.committed',
];

interface Break {
  readonly point: FaultPoint;
  readonly action: string;
  readonly move?: readonly string[];
}

/** A move from the store that has the container to the other one breaks; gives the store that has it then. */
async function breakMove(
  pair: Pair,
  source: Sandbox,
  { point, action, move = MOVE }: Break,
): Promise<Sandbox> {
  const target = source === pair.one ? pair.other : pair.one;
  const fault = `${point}:${action}`;
  const isThere = THERE.includes(point) || point.startsWith('receive.');
  const link = via(target, { env: isThere ? [`CRYOPOD_FAULT=${fault}`] : [] });
  const { stderr } = await source.cryopod([...move, ...link, 'c'], isThere ? {} : { CRYOPOD_FAULT: fault });
  assert.notEqual(stderr, '', `${fault}: it was passed`);
  return await assertExactlyOne(pair, fault);
}

test('a move in rounds that breaks in any of them leaves the container where it was, and nothing else', async () => {
  assert.deepEqual(
    FAULT_POINTS.filter((point) => point.startsWith('rounds.')),
    [...HERE, ...THERE],
  );
  await withPair(async (pair) => {
    for (const point of [...HERE, ...THERE]) {
      for (const action of ACTIONS) {
        assert.equal(await breakMove(pair, pair.one, { point, action }), pair.one, `${point}:${action}`);
      }
    }
  });
});

test('files that are sent before the freeze of a cold move are gone where it breaks', async () => {
  await withPair(async (pair) => {
    await pair.one.ok(['exec', 'c', ...FILES]);
    for (const point of ['rounds.sent', 'rounds.kept', 'migrate.sent', 'receive.taken'] as const) {
      for (const action of ACTIONS) {
        const broken = await breakMove(pair, pair.one, { point, action, move: COLD });
        assert.equal(broken, pair.one, `${point}:${action}`);
      }
    }
  });
});

test('a move in rounds that breaks in its hand-over leaves the container in exactly one place', async () => {
  await withPair(async (pair) => {
    let source = pair.one;
    for (const point of HAND_OVER) source = await breakMove(pair, source, { point, action: 'kill' });
  });
});
