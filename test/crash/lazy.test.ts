import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FaultPoint } from '../../src/system/faults.ts';
import { eventually } from '../contract/support.ts';
import {
  assertWhole,
  hasCheckpoint,
  processesOf,
  restoreAndKill,
  state,
  withMemory,
} from '../fixtures/memory-program.ts';
import type { Sandbox } from '../fixtures/sandbox.ts';
import { ACTIONS, assertSettled } from './support.ts';

/** What a broken lazy restore must come to: a stopped container whose checkpoint restores. */
async function assertBackAtCheckpoint(box: Sandbox): Promise<void> {
  // The command that finds the watcher dead repairs; one that comes earlier sees a container on its way.
  await eventually('it is back', async () => (await state(box)) === 'exited:true:false');
  await eventually('the watcher has ended', async () => processesOf(box, 'serve-pages').length === 0);
  await assertSettled(box);
  await box.ok(['container', 'restore', 'c']);
  await assertWhole(box);
  await box.ok(['container', 'checkpoint', 'c']);
}

/** A step of the process that serves the pages, and what breaks there. Who adds one finds it missing here. */
type PagesPoint = Extract<FaultPoint, `pages.${string}`>;

interface Scenario {
  readonly title: string;
  /** From a container that runs; it may leave it stopped. */
  readonly work: (box: Sandbox, point: PagesPoint) => Promise<void>;
}

const BEFORE: Scenario = {
  title: 'a lazy restore that breaks before its processes run leaves the checkpoint',
  work: async (box, point) => {
    await box.ok(['container', 'checkpoint', 'c']);
    for (const action of ACTIONS) {
      const fault = { CRYOPOD_FAULT: `${point}:${action}` };
      const broken = await box.cryopod(['container', 'restore', '--lazy', 'c'], fault);
      assert.notEqual(broken.code, 0, broken.stderr);
      await assertBackAtCheckpoint(box);
    }
  },
};

const SCENARIOS: Readonly<Record<PagesPoint, Scenario>> = {
  'pages.journalled': BEFORE,
  'pages.serving': BEFORE,
  'pages.in': {
    title: 'when the watcher breaks after the last page, the container goes on',
    work: async (box, point) => {
      for (const action of ACTIONS) {
        await box.ok(['container', 'checkpoint', 'c']);
        const fault = { CRYOPOD_FAULT: `${point}:${action}` };
        assert.equal((await box.cryopod(['container', 'restore', '--lazy', 'c'], fault)).code, 0);
        await eventually('the watcher has ended', async () => processesOf(box, 'serve-pages').length === 0);
        assert.equal(await state(box), 'running:false:true');
        assert.equal(await hasCheckpoint(box), false);
        await assertSettled(box);
        await assertWhole(box);
      }
    },
  },
  'pages.given-up': {
    title: 'a container whose memory will not come is stopped also when the watcher breaks then',
    work: async (box, point) => {
      await box.ok(['container', 'checkpoint', 'c']);
      for (const action of ACTIONS) {
        await restoreAndKill(box, ['lazy-pages'], 'SIGKILL', { CRYOPOD_FAULT: `${point}:${action}` });
        await assertBackAtCheckpoint(box);
      }
    },
  },
};

test('a lazy restore whose watcher breaks leaves its checkpoint, or a container that goes on', async (t) => {
  await withMemory(async (box) => {
    for (const [point, { title, work }] of Object.entries(SCENARIOS) as [PagesPoint, Scenario][]) {
      await t.test(`${point}: ${title}`, async () => {
        if ((await state(box)).startsWith('exited')) await box.ok(['container', 'restore', 'c']);
        await work(box, point);
      });
    }
  });
});
