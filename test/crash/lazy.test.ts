import assert from 'node:assert/strict';
import { test } from 'node:test';
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
import { ACTIONS, leftovers, unfinished } from './support.ts';

/** What a broken lazy restore must come to: a stopped container whose checkpoint restores. */
async function assertBackAtCheckpoint(box: Sandbox): Promise<void> {
  // The command that finds the watcher dead repairs; one that comes earlier sees a container on its way.
  await eventually('it is back', async () => (await state(box)) === 'exited:true:false');
  await eventually('the watcher has ended', async () => processesOf(box, 'serve-pages').length === 0);
  assert.deepEqual(unfinished(box), []);
  assert.deepEqual(await leftovers(box), []);
  await box.ok(['container', 'restore', 'c']);
  await assertWhole(box);
  await box.ok(['container', 'checkpoint', 'c']);
}

for (const point of ['pages.journalled', 'pages.serving'] as const) {
  test(`${point}: a lazy restore that breaks before its processes run leaves the checkpoint`, async () => {
    await withMemory(async (box) => {
      await box.ok(['container', 'checkpoint', 'c']);
      for (const action of ACTIONS) {
        const broken = await box.cryopod(['container', 'restore', '--lazy', 'c'], {
          CRYOPOD_FAULT: `${point}:${action}`,
        });
        assert.notEqual(broken.code, 0, broken.stderr);
        await assertBackAtCheckpoint(box);
      }
    });
  });
}

test('pages.in: when the watcher breaks after the last page, the container goes on', async () => {
  await withMemory(async (box) => {
    for (const action of ACTIONS) {
      await box.ok(['container', 'checkpoint', 'c']);
      const fault = { CRYOPOD_FAULT: `pages.in:${action}` };
      assert.equal((await box.cryopod(['container', 'restore', '--lazy', 'c'], fault)).code, 0);
      await eventually('the watcher has ended', async () => processesOf(box, 'serve-pages').length === 0);
      assert.equal(await state(box), 'running:false:true');
      assert.equal(await hasCheckpoint(box), false);
      assert.deepEqual(unfinished(box), []);
      await assertWhole(box);
    }
  });
});

test('pages.given-up: a container whose memory will not come is stopped also when the watcher breaks then', async () => {
  await withMemory(async (box) => {
    await box.ok(['container', 'checkpoint', 'c']);
    for (const action of ACTIONS) {
      await restoreAndKill(box, ['lazy-pages'], 'SIGKILL', { CRYOPOD_FAULT: `pages.given-up:${action}` });
      await assertBackAtCheckpoint(box);
    }
  });
});
