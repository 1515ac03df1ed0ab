import { discard, importImage, podman, runMemory } from '../engines.ts';
import { archivedPagesSize, assertDelta, assertWhole, megabytes } from '../images.ts';
import { checkMemory, gone, goOn, MEMORY_MIB, reach } from '../memory.ts';
import { ok, type Scenario } from '../scenario.ts';

export const PODMAN: readonly Scenario[] = [
  {
    name: 'podman checkpoints in two steps and restores what it exported',
    run: async (note) => {
      const directory = '/tmp/podman';
      const [pre, final] = [`${directory}/pre.tar.zst`, `${directory}/final.tar.zst`];
      await ok(['mkdir', directory]);
      note(await podman(['--version']));
      await importImage(podman);
      await runMemory(podman, 'p', MEMORY_MIB);
      const start = await reach(1);
      await podman(['container', 'checkpoint', '-P', '-e', pre, 'p']);
      await goOn(10);
      const floor = await reach(0);
      await podman(['container', 'checkpoint', '--with-previous', '-e', final, 'p']);
      await gone();
      await discard(podman, 'p');
      await podman(['container', 'restore', '--import-previous', pre, '-i', final]);
      const ticks = await checkMemory(floor);

      const whole = await archivedPagesSize(pre, 'pre-checkpoint', `${directory}/pre`);
      const delta = await archivedPagesSize(final, 'checkpoint', `${directory}/final`);
      note(`pre-checkpoint ${megabytes(whole)}, checkpoint ${megabytes(delta)}; every word is right`);
      assertWhole(whole);
      assertDelta(delta, ticks - start);
      await discard(podman, 'p');
      await ok(['rm', '-r', directory]);
    },
  },
];
