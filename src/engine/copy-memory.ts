import { join } from 'node:path';
import type { DeltaFigures } from '../criu/delta/figures.ts';
import { readMemory } from '../criu/delta/read-memory.ts';
import { writeCriuConfig } from '../criu/options.ts';
import { type DumpStats, dumpStatsIfAny } from '../criu/stats.ts';
import type { Container } from '../model/container.ts';
import { fail } from '../model/errors.ts';
import { openRuntime } from '../runtime/runtime.ts';
import { monotonicMicroseconds } from '../system/clock.ts';
import { insideTree } from '../system/procfs.ts';
import { bundleDirectory } from '../system/store-paths.ts';
import { criuConfigPath } from './bundle-files.ts';
import type { EngineContext } from './context.ts';
import { explainDumpFailure } from './explain.ts';
import { processLives } from './observe.ts';
import type { CheckpointOptions } from './plan/checkpoint.ts';
import type { Previous } from './previous.ts';

export interface MemoryCopy {
  /** Microseconds. */
  readonly runtimeDuration: number;
  readonly statistics: DumpStats;
}

type Options = Pick<CheckpointOptions, 'tcpEstablished' | 'fileLocks'>;

/**
 * Lets CRIU copy the memory of a running container into the empty directory `images`, as a delta to the images that `parentPath`
 * leads to from there; the kernel tracks changes from then
 * on. The processes stand still while CRIU takes hold of their memory, not while it is written. Errors:
 * CHECKPOINT_FAILED, explained; the container goes on in any case.
 */
export async function preDump(
  ctx: EngineContext,
  container: Container,
  images: string,
  { parentPath, tcpEstablished, fileLocks }: Options & { readonly parentPath: string | undefined },
): Promise<MemoryCopy> {
  const { id, runtime, cgroupManager } = container.config;
  const workPath = bundleDirectory(ctx.store, id);
  const criuEnvironment = await writeCriuConfig(criuConfigPath(ctx.store, id), {});
  const begun = monotonicMicroseconds();
  await explainDumpFailure(container, () =>
    openRuntime(ctx.store, runtime, { cgroupManager }).checkpoint(id, {
      imagePath: images,
      workPath,
      criuEnvironment,
      preDump: true,
      parentPath,
      leaveRunning: false,
      tcpEstablished,
      fileLocks,
    }),
  );
  const runtimeDuration = monotonicMicroseconds() - begun;
  return { runtimeDuration, statistics: await dumpStatsIfAny(join(workPath, 'stats-dump')) };
}

/**
 * Reads the memory of a running container from outside into the new directory `images`, without stopping it: pages of
 * different moments, which the checkpoint after it compares. Errors: those of readMemory, CHECKPOINT_FAILED where the
 * container has ended meanwhile.
 */
export async function copyWhileRunning(
  ctx: EngineContext,
  container: Container,
  images: string,
  before: Previous | undefined,
): Promise<MemoryCopy> {
  const { config, state } = container;
  const processes = insideTree(state.pid);
  const begun = monotonicMicroseconds();
  const figures = await readMemory({
    processes,
    into: images,
    ...(before === undefined ? {} : { parent: before.directory, link: before.link }),
    signal: ctx.signal,
    progress: (event) => ctx.progress({ ...event, subject: config.name }),
  });
  if (!processLives(container)) {
    fail('CHECKPOINT_FAILED', {
      message: `cannot checkpoint ${config.name}: it ended while its memory was read`,
    });
  }
  const duration = monotonicMicroseconds() - begun;
  return { runtimeDuration: duration, statistics: statisticsOf(figures, duration) };
}

/** As CRIU counts in a pre-dump; nothing was frozen. */
export const statisticsOf = ({ ownPages, parentPages }: DeltaFigures, duration: number): DumpStats => ({
  freezingTime: 0,
  frozenTime: 0,
  memdumpTime: duration,
  memwriteTime: duration,
  pagesScanned: ownPages + parentPages,
  pagesSkippedParent: parentPages,
  pagesWritten: ownPages,
  irmapResolve: 0,
  pagesLazy: 0,
  sharedPagesScanned: 0,
  sharedPagesWritten: 0,
});
