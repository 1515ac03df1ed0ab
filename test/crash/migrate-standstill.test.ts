import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitFor } from '../../src/system/clock.ts';
import { processStat } from '../../src/system/procfs.ts';
import { eventually } from '../contract/support.ts';
import {
  assertExactlyOne,
  type Cut,
  type Pair,
  type Standing,
  stopAt,
  withPair,
} from '../fixtures/moving.ts';
import type { Sandbox } from '../fixtures/sandbox.ts';
import { IMAGE, unfinished } from './support.ts';

/** Seconds: a side that runs gives a sign of life in each. */
const PATIENCE = 5;
const MOVE = ['migrate', '--compress', 'none', '--timeout', String(PATIENCE)];
const COLD = [...MOVE, '--mode', 'cold'];

const GIVEN_UP = new RegExp(`given up after ${PATIENCE} s without a sign of life`);

/** Of a process that a stopped one would have to bury, that is all there is to see. */
const hasEnded = (pid: number): boolean => ['Z', undefined].includes(processStat(pid)?.state);

async function untilEnded(pid: number, what: string): Promise<void> {
  const limit = PATIENCE * 1000 + 30_000;
  assert.ok(await waitFor(() => hasEnded(pid), limit), `${what}: it has come to its end`);
}

/** Whatever becomes of `work`, what was stopped goes on, and the move comes to its end. */
async function whileStanding(
  { one, other }: Pair,
  cut: Cut,
  work: (standing: Standing & { readonly goOn: () => void }) => Promise<void>,
): Promise<void> {
  const standing = await stopAt({ source: one, target: other }, cut);
  const goOn = (): void => {
    if (!hasEnded(standing.stopped)) process.kill(standing.stopped, 'SIGCONT');
  };
  try {
    await work({ ...standing, goOn });
  } finally {
    goOn();
    await standing.moving;
    await untilEnded(standing.receiver, `${cut.point}: the target`);
  }
}

const count = async ({ ok }: Sandbox): Promise<number> => (await ok(['logs', 'c'])).split('\n').length;

async function assertGoesOn(box: Sandbox, what: string): Promise<void> {
  const before = await count(box);
  await eventually(`${what}: it goes on`, async () => (await count(box)) > before);
}

async function assertNothing(box: Sandbox, what: string): Promise<void> {
  assert.equal(await box.ok(['ps', '--all', '--quiet']), '', what);
  assert.deepEqual(unfinished(box), [], what);
}

test('a target that stands still keeps the container frozen no longer than the patience that was asked for', async () => {
  await withPair(async (pair) => {
    for (const point of ['receive.asked', 'receive.taken', 'receive.prepared', 'receive.told'] as const) {
      await whileStanding(pair, { point, isHere: false, move: COLD }, async ({ moving, stopped }) => {
        const { code, stderr } = await moving;
        assert.equal(code, 125, point);
        assert.match(stderr, GIVEN_UP, point);
        assert.equal(processStat(stopped)?.state, 'T', `${point}: it still stands there`);
        await assertGoesOn(pair.one, point);
      });
      assert.equal(await assertExactlyOne(pair, point), pair.one);
    }
  });
});

test('a source that stands still leaves nothing at the target, and has its container when it goes on', async () => {
  await withPair(async (pair) => {
    for (const point of ['migrate.sent', 'migrate.prepared', 'migrate.handed-over'] as const) {
      await whileStanding(pair, { point, isHere: true, move: COLD }, async (standing) => {
        await untilEnded(standing.receiver, point);
        assert.equal(processStat(standing.stopped)?.state, 'T', `${point}: it still stands there`);
        await assertNothing(pair.other, point);
        standing.goOn();
        assert.equal((await standing.moving).code, 125, point);
      });
      assert.equal(await assertExactlyOne(pair, point), pair.one);
    }
  });
});

test('a link that takes everything and brings nothing is given up by both sides', async () => {
  await withPair(async (pair) => {
    const cut: Cut = { point: 'receive.taken', isHere: false, move: COLD };
    await whileStanding(pair, cut, async ({ relay, receiver, moving, goOn }) => {
      process.kill(relay, 'SIGSTOP');
      goOn();
      assert.match((await moving).stderr, GIVEN_UP);
      await untilEnded(receiver, 'the target');
    });
    assert.equal(await assertExactlyOne(pair, 'the link'), pair.one);
  });
});

/** It holds more memory than the link takes before anybody has looked. */
const HOG =
  "x=$(head -c 40000000 /dev/zero | tr '\\0' y); i=0; while true; do i=$((i+1)); echo $i; sleep 0.05; done";

async function withHog(work: (pair: Pair) => Promise<void>): Promise<void> {
  await withPair(async (pair) => {
    const { one } = pair;
    await one.ok(['rm', '-f', '-t', '0', 'c']);
    await one.ok(['run', '-d', '--name', 'c', '--network', 'none', IMAGE, 'sh', '-c', HOG]);
    await eventually('it holds its memory', async () => (await one.ok(['logs', 'c'])) !== '');
    await work(pair);
  });
}

const POST_COPY = [...MOVE, '--mode', 'post-copy', '--bwlimit', '4m'];

test('a source that stands still while memory is under way ends a post-copy, and has its checkpoint', async () => {
  await withHog(async (pair) => {
    const cut: Cut = { point: 'migrate.arrived', isHere: true, move: POST_COPY };
    await whileStanding(pair, cut, async ({ receiver, moving, goOn }) => {
      await untilEnded(receiver, 'the target');
      await assertNothing(pair.other, 'post-copy');
      goOn();
      assert.match((await moving).stderr, /stopped here with a complete checkpoint/);
    });
    assert.equal(await assertExactlyOne(pair, 'post-copy'), pair.one);
  });
});

test('a target that stands still while memory is under way is ended by the question what became of it', async () => {
  await withHog(async (pair) => {
    const cut: Cut = { point: 'receive.pages', isHere: false, move: POST_COPY };
    await whileStanding(pair, cut, async ({ moving }) => {
      assert.match((await moving).stderr, /c was not moved to the target/);
    });
    assert.equal(await assertExactlyOne(pair, 'post-copy'), pair.one);
  });
});
