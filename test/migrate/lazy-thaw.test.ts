import assert from 'node:assert/strict';
import { test } from 'node:test';
import { processStat } from '../../src/system/procfs.ts';
import { eventually } from '../contract/support.ts';
import { assertWhole, hasCheckpoint, processesOf, state, withMemory } from '../fixtures/memory-program.ts';
import { via } from '../fixtures/moving.ts';
import { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';

const MOVE = ['migrate', '--mode', 'cold', '--compress', 'none'];

/** A container with much memory at `one`, and its image at `other`. */
const withTarget = (work: (one: Sandbox, other: Sandbox) => Promise<void>): Promise<void> =>
  withMemory(async (one) => {
    await withSandbox(
      async (other) => {
        try {
          await work(one, other);
        } finally {
          await other.cryopod(['rm', '--all', '-f', '-t', '0']);
        }
      },
      { images: ['perl'] },
    );
  });

test('a container with much memory runs at the target while that is still read, has all of it, and moves on', async () => {
  await withTarget(async (one, other) => {
    // The watcher stands still once all memory is in.
    const said = await one.ok([...MOVE, ...via(other, { env: ['CRYOPOD_FAULT=pages.in:stop'] }), 'c']);
    assert.match(said, /^c runs at the target: down for /);
    assert.equal(await one.ok(['ps', '--all', '--quiet']), '');
    assert.equal(await state(other), 'running:false:true');
    const [watcher = 0] = processesOf(other, 'serve-pages');
    await eventually('its memory is in', async () => processStat(watcher)?.state === 'T');
    assert.ok(await hasCheckpoint(other), 'what came is there still');
    await assertWhole(other);
    process.kill(watcher, 'SIGCONT');
    await eventually('what came has served', async () => !(await hasCheckpoint(other)));
    assert.deepEqual(processesOf(other, 'lazy-pages'), []);
    await other.ok([...MOVE, ...via(one), 'c']);
    // Waits for the last page.
    await one.ok([...MOVE, ...via(other), 'c']);
    await assertWhole(other);
  });
});
