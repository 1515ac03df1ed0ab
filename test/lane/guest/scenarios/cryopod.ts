import assert from 'node:assert/strict';
import { join } from 'node:path';
import { cryopod, discard, importImage, runMemory } from '../engines.ts';
import { assertDelta, assertWhole, megabytes, pagesSize } from '../images.ts';
import { checkMemory, gone, goOn, MEMORY_MIB, reach } from '../memory.ts';
import type { Note, Scenario } from '../scenario.ts';

/** Where cryopod keeps what belongs to a container. */
const bundle = (id: string): string => join('/var/lib/cryopod/containers', id, 'userdata');

/** Pre-checkpoints in a row, a checkpoint that builds on the last one, and a restore. */
async function goThrough(id: string, preCheckpoints: readonly string[], note: Note): Promise<void> {
  const begun: number[] = [];
  for (const _ of preCheckpoints) {
    begun.push(await goOn(5));
    await cryopod(['container', 'checkpoint', '--pre-checkpoint', 'c']);
  }
  begun.push(await goOn(5));
  const floor = await reach(0);
  await cryopod(['container', 'checkpoint', '--with-previous', 'c']);
  await gone();
  const sizes = [...preCheckpoints, 'checkpoint'].map((name) => pagesSize(join(bundle(id), name)));
  await cryopod(['container', 'restore', 'c']);
  const ticks = await checkMemory(floor);

  note(`${sizes.map(megabytes).join(', ')}; every word is right`);
  const [whole = 0, ...deltas] = sizes;
  assertWhole(whole);
  assert.equal(deltas.length, preCheckpoints.length);
  for (const [index, delta] of deltas.entries())
    assertDelta(delta, (begun[index + 2] ?? ticks) - (begun[index] ?? 0));
}

export const CRYOPOD: readonly Scenario[] = [
  {
    name: 'cryopod takes three pre-checkpoints, each against the last, a checkpoint against those, and restores the chain',
    run: async (note) => {
      await importImage();
      const id = await runMemory(cryopod, 'c', MEMORY_MIB);
      await reach(1);
      await goThrough(id, ['pre-checkpoint', 'pre-checkpoint-2', 'pre-checkpoint-3'], note);
      note('and once more, of the restored container:');
      await goThrough(id, ['pre-checkpoint'], note);
      await discard(cryopod, 'c');
      await gone();
    },
  },
];
