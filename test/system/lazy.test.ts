import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
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

test('A lazy restore has every byte of memory, consumes its checkpoint at the end, and can be checkpointed at once', async () => {
  await withMemory(async (box) => {
    for (let round = 0; round < 2; round += 1) {
      await box.ok(['container', 'checkpoint', 'c']);
      await box.ok(['container', 'restore', '--lazy', 'c']);
      assert.equal(await state(box), 'running:false:true');
      await assertWhole(box);
      await eventually('its checkpoint has served', async () => !(await hasCheckpoint(box)));
      assert.deepEqual(processesOf(box, 'lazy-pages'), []);
    }
    await box.ok(['container', 'checkpoint', 'c']);
    await box.ok(['container', 'restore', '--lazy', '--keep', 'c']);
    // Waits for the last page: otherwise it would save pages of zeros.
    await box.ok(['container', 'checkpoint', 'c']);
    await box.ok(['container', 'restore', 'c']);
    await assertWhole(box);
  });
});

test('A container whose server of memory fails is stopped with the reason, and its checkpoint restores', async () => {
  await withMemory(async (box) => {
    await box.ok(['container', 'checkpoint', 'c']);
    await restoreAndKill(box, ['lazy-pages']);
    await eventually('it is stopped', async () => (await state(box)) === 'exited:true:false');
    const reason = await box.ok(['inspect', '--format', '{{.State.Error}}', 'c']);
    assert.match(reason, /its memory could not be restored: CRIU's server of pages ended early/);
    await box.ok(['container', 'restore', 'c']);
    assert.equal(await box.ok(['inspect', '--format', '{{.State.Error}}', 'c']), '');
    await assertWhole(box);
  });
});

test('A container goes on when its watcher is killed or told to end; when its server goes too, it is back at its checkpoint', async () => {
  await withMemory(async (box) => {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await box.ok(['container', 'checkpoint', 'c']);
      await restoreAndKill(box, ['serve-pages'], signal);
      await assertWhole(box);
      assert.equal(await state(box), 'running:false:true', signal);
      await eventually('its checkpoint has served', async () => !(await hasCheckpoint(box)));
    }
    await box.ok(['container', 'checkpoint', 'c']);
    await restoreAndKill(box, ['serve-pages', 'lazy-pages']);
    assert.equal(await state(box), 'exited:true:false');
    await box.ok(['container', 'restore', '--lazy', 'c']);
    await assertWhole(box);
  });
});

test('A container that is stopped or removed while its memory comes leaves nothing behind', async () => {
  await withMemory(async (box) => {
    await box.ok(['container', 'checkpoint', 'c']);
    await box.ok(['container', 'restore', '--lazy', 'c']);
    await box.ok(['stop', '-t', '0', 'c']);
    await eventually('its checkpoint has served', async () => !(await hasCheckpoint(box)));
    await box.ok(['start', 'c']);
    await eventually(
      'its memory is full',
      async () => (await box.ok(['logs', 'c'])).split('ready').length > 2,
    );
    await box.ok(['container', 'checkpoint', 'c']);
    await box.ok(['container', 'restore', '--lazy', 'c']);
    await box.ok(['rm', '-f', '-t', '0', 'c']);
    await eventually('the server has ended', async () => processesOf(box, 'serve-pages').length === 0);
    assert.deepEqual(
      readdirSync(join(box.root, 'containers')).filter((name) => name !== ''),
      [],
    );
  });
});

test('An archive is imported lazily; a runtime that cannot restore so is refused before anything is touched', async () => {
  await withMemory(async (box) => {
    const archive = join(box.directory, 'c.tar.zst');
    await box.ok(['container', 'checkpoint', '-e', archive, 'c']);
    await box.ok(['rm', 'c']);
    const refused = await box.cryopod(['--runtime', 'crun', 'container', 'restore', '--lazy', '-i', archive]);
    assert.deepEqual([refused.code, refused.stdout], [125, '']);
    assert.equal(await box.ok(['ps', '-aq']), '');
    await box.ok(['container', 'restore', '--lazy', '-i', archive]);
    await assertWhole(box);
  });
});
