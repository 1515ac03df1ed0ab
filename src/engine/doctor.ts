import { mkdir } from 'node:fs/promises';
import { stagingDirectory } from '../system/store-paths.ts';
import type { EngineContext } from './context.ts';
import { criuProbe } from './criu-probe.ts';
import type { Check } from './doctor/check.ts';
import { checkCriu } from './doctor/criu.ts';
import { checkHost } from './doctor/host.ts';
import { checkPrograms, checkRuntimes } from './doctor/programs.ts';
import { checkSpace } from './doctor/space.ts';

export type { Check } from './doctor/check.ts';

export interface Diagnosis {
  /** Checkpoint and restore will work. */
  readonly works: boolean;
  readonly checks: readonly Check[];
}

/** Looks at everything on the host that containers, checkpoints and restores depend on. Changes nothing. */
export async function diagnose(ctx: EngineContext): Promise<Diagnosis> {
  const directory = stagingDirectory(ctx.store);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const groups = await Promise.all([
    criuProbe(ctx).then((probe) => checkCriu(probe, directory)),
    checkRuntimes(ctx),
    checkPrograms(),
    checkHost(),
    checkSpace(ctx.store),
  ]);
  const checks = groups.flat();
  return { works: checks.every(({ status }) => status !== 'fail'), checks };
}
