import { requireCriu } from '../criu/probe.ts';
import type { Container } from '../model/container.ts';
import { openRuntime } from '../runtime/runtime.ts';
import { spaceAt } from '../system/space.ts';
import { bundleDirectory } from '../system/store-paths.ts';
import type { EngineContext } from './context.ts';
import { criuProbe } from './criu-probe.ts';
import type { CheckpointFacts } from './plan/checkpoint.ts';

export async function checkpointFacts(ctx: EngineContext, { config }: Container): Promise<CheckpointFacts> {
  const runtime = openRuntime(ctx.store, config.runtime, { cgroupManager: config.cgroupManager });
  requireCriu(await criuProbe(ctx));
  const directory = bundleDirectory(ctx.store, config.id);
  return {
    isRoot: process.geteuid?.() === 0,
    runtime: { name: runtime.name, ...(await runtime.canCheckpoint()) },
    obstacles: [],
    memoryBytes: 0,
    freeBytes: (await spaceAt(directory)).free,
    directory,
  };
}
