import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../contract/support.ts';
import { assertWhole, processesOf, restoreAndKill, state, withMemory } from '../fixtures/memory-program.ts';
import type { Sandbox } from '../fixtures/sandbox.ts';
import { ACTIONS, leftovers, unfinished } from './support.ts';

/** What a broken lazy restore must come to: a stopped container whose checkpoint restores. */
async function assertBackAtCheckpoint(box: Sandbox): Promise<void> {
  await eventually('the watcher has ended', async () => processesOf(box, 'serve-pages').length === 0);
  assert.equal(await state(box), 'exited:true:false');
  assert.deepEqual(unfinished(box), []);
  assert.deepEqual(await leftovers(box), []);
  await box.ok(['container', 'restore', 'c']);
  await assertWhole(box);
  await box.ok(['container', 'checkpoint', 'c']);
}

test('pages.journalled: a lazy restore that breaks before its server is up leaves the checkpoint', async () => {
  await withMemory(async (box) => {
    await box.ok(['container', 'checkpoint', 'c']);
    for (const action of ACTIONS) {
      const broken = await box.cryopod(['container', 'restore', '--lazy', 'c'], {
        CRYOPOD_FAULT: `pages.journalled:${action}`,
      });
      assert.equal(broken.code, 125, broken.stderr);
      await assertBackAtCheckpoint(box);
    }
  });
});

test('pages.in: when the watcher breaks after the last page, the container goes back to its checkpoint', async () => {
  await withMemory(async (box) => {
    await box.ok(['container', 'checkpoint', 'c']);
    for (const action of ACTIONS) {
      const fault = { CRYOPOD_FAULT: `pages.in:${action}` };
      assert.equal((await box.cryopod(['container', 'restore', '--lazy', 'c'], fault)).code, 0);
      await assertBackAtCheckpoint(box);
    }
  });
});

test('pages.given-up: a container whose memory will not come is stopped also when the watcher breaks then', async () => {
  await withMemory(async (box) => {
    await box.ok(['container', 'checkpoint', 'c']);
    for (const action of ACTIONS) {
      await restoreAndKill(box, 'lazy-pages', { CRYOPOD_FAULT: `pages.given-up:${action}` });
      await assertBackAtCheckpoint(box);
    }
  });
});
