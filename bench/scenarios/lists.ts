import type { Scenario } from '../measure.ts';

/** Questions about a store with many containers. */
export const lists = (containers: number): Scenario => ({
  name: 'lists',
  figures: [
    { key: 'ps', label: `ps --all with ${containers} containers`, unit: 'ms', promise: 1.0 },
    { key: 'inspect', label: 'inspect of one of them', unit: 'ms', promise: 1.0 },
  ],
  prepare: async (engine) => {
    const image = await engine.image('busybox');
    const names = Array.from({ length: containers }, (_, index) => `listed${index}`);
    for (const name of names) await engine.run(['create', '--name', name, image, 'true']);
    const round = async () => {
      const ps = await engine.run(['ps', '--all']);
      const inspect = await engine.run(['inspect', names.at(-1) ?? '']);
      return { ps: ps.took, inspect: inspect.took };
    };
    const close = async () => {
      await engine.run(['rm', '--force', '--time', '0', ...names]);
    };
    return { round, close };
  },
});
