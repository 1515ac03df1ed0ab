import { mkdtemp } from 'node:fs/promises';
import { cryopod, discard, type Engine, importImage, podman, runMemory } from '../engines.ts';
import { archivedPagesSize, assertDelta, assertWhole, megabytes } from '../images.ts';
import { checkMemory, gone, goOn, MEMORY_MIB, reach } from '../memory.ts';
import { type Note, ok, type Scenario } from '../scenario.ts';

/** A container goes from one engine to the other in two archives, the second one a delta to the first. */
async function move(from: Engine, to: Engine, note: Note): Promise<void> {
  const directory = await mkdtemp('/tmp/archives-');
  const [pre, final] = [`${directory}/pre.tar.zst`, `${directory}/final.tar.zst`];
  await importImage();
  await runMemory(from, 'm', MEMORY_MIB);
  const start = await reach(1);
  await from(['container', 'checkpoint', '-P', '-e', pre, 'm']);
  await goOn(10);
  const floor = await reach(0);
  await from(['container', 'checkpoint', '--with-previous', '-e', final, 'm']);
  await gone();
  await discard(from, 'm');
  await to(['container', 'restore', '--import-previous', pre, '-i', final]);
  const ticks = await checkMemory(floor);

  const whole = await archivedPagesSize(pre, 'pre-checkpoint', `${directory}/pre`);
  const delta = await archivedPagesSize(final, 'checkpoint', `${directory}/final`);
  note(`pre-checkpoint ${megabytes(whole)}, checkpoint ${megabytes(delta)}; every word is right`);
  assertWhole(whole);
  assertDelta(delta, ticks - start);
  await discard(to, 'm');
  await gone();
  await ok(['rm', '-r', directory]);
}

export const PODMAN: readonly Scenario[] = [
  {
    name: 'podman exports a checkpoint in two steps and restores it',
    run: async (note) => {
      note(await podman(['--version']));
      await move(podman, podman, note);
    },
  },
];

export const ARCHIVES: readonly Scenario[] = [
  {
    name: 'podman restores what cryopod exported in two steps',
    run: (note) => move(cryopod, podman, note),
  },
  {
    name: 'cryopod restores what podman exported in two steps',
    run: (note) => move(podman, cryopod, note),
  },
  {
    name: 'cryopod restores what cryopod exported in two steps',
    run: (note) => move(cryopod, cryopod, note),
  },
];
