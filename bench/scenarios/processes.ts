import type { Scenario } from '../measure.ts';

/** One container with so many processes, each with a MiB of its own. */
const PROGRAM = `
my $count = shift;
my $memory = "";
for (2 .. $count) { last if !fork() }
for (1 .. 256) { $memory .= pack("N", rand(2 ** 32)) x 1024 }
sleep 1 while 1`;

/** How the cost of a checkpoint grows with the processes of a container. */
export const processes = (count: number): Scenario => ({
  name: `processes-${count}`,
  rounds: 3,
  figures: [
    { key: 'checkpoint', label: `checkpoint of ${count} processes`, unit: 'ms' },
    { key: 'restore', label: `restore of them`, unit: 'ms' },
  ],
  prepare: async (engine) => {
    const image = await engine.image('perl');
    const name = `processes${count}`;
    const options = ['--name', name, '--network', 'none'];
    await engine.run(['run', '-d', ...options, image, 'perl', '-e', PROGRAM, String(count)]);
    const round = async () => {
      const frozen = await engine.run(['container', 'checkpoint', name]);
      const thawed = await engine.run(['container', 'restore', name]);
      return { checkpoint: frozen.took, restore: thawed.took };
    };
    const close = async () => {
      await engine.run(['rm', '--force', '--time', '0', name]);
    };
    return { round, close };
  },
});
