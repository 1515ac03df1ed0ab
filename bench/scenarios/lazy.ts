import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine, Scenario } from '../measure.ts';
import { logOf, sizeName, startHog } from './hog.ts';

const LIMIT_MS = 120_000;

/** A local checkpoint of `mebibytes`: how long until its process answers, where the engine can, before its memory is in. */
export const lazy = (mebibytes: number): Scenario => ({
  name: `lazy-${mebibytes}`,
  rounds: mebibytes > 1024 ? 3 : undefined,
  figures: [
    {
      key: 'answer',
      label: `restore --lazy of ${sizeName(mebibytes)} (peer: restore), until the process answers`,
      unit: 'ms',
      promise: 0.1,
    },
    { key: 'command', label: 'the whole command', unit: 'ms' },
  ],
  prepare: (engine) => prepare(engine, mebibytes),
});

async function prepare(engine: Engine, mebibytes: number): ReturnType<Scenario['prepare']> {
  const name = 'lazy';
  const hog = await startHog(engine, name, mebibytes);
  const log = await logOf(engine, name);
  const round = async () => {
    await engine.run(['container', 'checkpoint', name]);
    const { size } = statSync(log);
    const begun = performance.now();
    const restoring = engine.run(['container', 'restore', ...(engine.isPeer ? [] : ['--lazy']), name]);
    restoring.catch(() => undefined);
    while (statSync(log).size <= size && performance.now() - begun < LIMIT_MS) await sleep(1);
    const answer = performance.now() - begun;
    const { took } = await restoring;
    // Memory follows in the background: the next checkpoint waits for it, and is not to be measured with this.
    await hog.nextWord();
    return { answer, command: took };
  };
  const close = async () => {
    await engine.run(['rm', '--force', '--time', '0', name]);
  };
  return { round, close };
}
