import type { Scenario } from '../measure.ts';

const NAME = 'small';

/** The whole commands on a container with one small process. */
export const small: Scenario = {
  name: 'small',
  figures: [
    { key: 'run', label: 'run -d of a small container', unit: 'ms', promise: 1.0 },
    { key: 'checkpoint', label: 'checkpoint of it', unit: 'ms', promise: 0.9 },
    { key: 'restore', label: 'restore of it', unit: 'ms', promise: 0.9 },
  ],
  prepare: async (engine) => {
    const image = await engine.image('busybox');
    const remove = () => engine.run(['rm', '--force', '--time', '0', NAME]);
    const round = async () => {
      const begun = await engine.run(['run', '-d', '--name', NAME, image, 'sleep', '100000']);
      const frozen = await engine.run(['container', 'checkpoint', NAME]);
      const thawed = await engine.run(['container', 'restore', NAME]);
      await remove();
      return { run: begun.took, checkpoint: frozen.took, restore: thawed.took };
    };
    return { round, close: () => Promise.resolve() };
  },
};
