import type { Scenario } from '../measure.ts';

/** All containers of a store at once. */
export const many = (containers: number): Scenario => ({
  name: `many-${containers}`,
  rounds: containers === 20 ? undefined : 3,
  figures: [
    {
      key: 'checkpoint',
      label: `checkpoint --all of ${containers} container${containers === 1 ? '' : 's'}`,
      unit: 'ms',
      promise: containers === 20 ? 0.5 : undefined,
    },
    {
      key: 'restore',
      label: `restore --all of them`,
      unit: 'ms',
      promise: containers === 20 ? 0.5 : undefined,
    },
  ],
  prepare: async (engine) => {
    const image = await engine.image('busybox');
    const names = Array.from({ length: containers }, (_, index) => `many${index}`);
    for (const name of names) await engine.run(['run', '-d', '--name', name, image, 'sleep', '100000']);
    const round = async () => {
      const frozen = await engine.run(['container', 'checkpoint', '--all']);
      const thawed = await engine.run(['container', 'restore', '--all']);
      return { checkpoint: frozen.took, restore: thawed.took };
    };
    const close = async () => {
      await engine.run(['rm', '--force', '--time', '0', ...names]);
    };
    return { round, close };
  },
});
