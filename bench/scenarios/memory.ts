import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Engine, Scenario } from '../measure.ts';
import { sizeName, startHog } from './hog.ts';

/** A container that holds `mebibytes` goes into an archive, while it runs and for good, and comes back. */
export const memory = (mebibytes: number): Scenario => {
  const promised = mebibytes === 1024;
  const size = sizeName(mebibytes);
  return {
    name: `memory-${mebibytes}`,
    rounds: promised ? undefined : 3,
    figures: [
      { key: 'export', label: `export of ${size}, zstd`, unit: 'ms', promise: promised ? 0.25 : undefined },
      {
        key: 'frozen',
        label: `frozen for it with --leave-running, seen inside`,
        unit: 'ms',
        promise: promised ? 0.6 : undefined,
      },
      {
        key: 'import',
        label: `import of ${size}, until the process answers`,
        unit: 'ms',
        promise: promised ? 0.4 : undefined,
      },
      { key: 'peak', label: 'largest process of these commands', unit: 'MB', limit: 150 },
      { key: 'archive', label: 'size of the archive', unit: 'MB' },
    ],
    prepare: (engine) => prepare(engine, mebibytes),
  };
};

async function prepare(engine: Engine, mebibytes: number): ReturnType<Scenario['prepare']> {
  const name = 'hog';
  const hog = await startHog(engine, name, mebibytes);
  const archive = join(engine.directory, 'hog.tar.zst');
  const round = async () => {
    await hog.forgetPause();
    const running = await engine.run([
      'container',
      'checkpoint',
      '--leave-running',
      '--export',
      archive,
      name,
    ]);
    const frozen = await hog.longestPause();
    await rm(archive);
    const exported = await engine.run(['container', 'checkpoint', '--export', archive, name]);
    const { size } = await stat(archive);
    await engine.run(['rm', name]);
    const imported = await engine.run(['container', 'restore', '--import', archive]);
    const answer = await hog.nextWord();
    await rm(archive);
    return {
      export: exported.took,
      frozen,
      import: imported.took + answer,
      peak: Math.max(running.peak, exported.peak, imported.peak) / 1e6,
      archive: size / 1e6,
    };
  };
  const close = async () => {
    await rm(archive, { force: true });
    await engine.run(['rm', '--force', '--time', '0', name]);
  };
  return { round, close };
}
