import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeCriuConfig } from '../criu/options.ts';
import { type DumpStats, readDumpStats } from '../criu/stats.ts';
import type { Container } from '../model/container.ts';
import { shmDirectory } from '../rootfs/shm.ts';
import { saveShm } from '../rootfs/shm-archive.ts';
import { openRuntime } from '../runtime/runtime.ts';
import { monotonicMicroseconds } from '../system/clock.ts';
import { bundleDirectory } from '../system/store-paths.ts';
import { criuConfigPath, shmArchivePath } from './bundle-files.ts';
import type { EngineContext } from './context.ts';
import { explainDumpFailure } from './explain.ts';
import { writeNetworkStatus } from './network/status-file.ts';
import type { CheckpointOptions } from './plan/checkpoint.ts';

/**
 * Lets CRIU write the container's processes into the existing directory `images`, and its /dev/shm beside the log. On
 * failure the processes run on as before and the error explains why (CHECKPOINT_FAILED).
 */
export async function dump(
  ctx: EngineContext,
  container: Container,
  images: string,
  options: CheckpointOptions,
): Promise<{ readonly runtimeDuration: number; readonly statistics: DumpStats }> {
  const { id, runtime: name, cgroupManager } = container.config;
  const runtime = openRuntime(ctx.store, name, { cgroupManager });
  const workPath = bundleDirectory(ctx.store, id);
  const criuEnvironment = await writeCriuConfig(criuConfigPath(ctx.store, id), {});
  const shm = shmDirectory(ctx.store, id);
  const shmInUse = existsSync(shm) && readdirSync(shm).length > 0;
  // A running process could change /dev/shm between the dump and the copy of it; a frozen one cannot.
  const freeze = options.leaveRunning && shmInUse;
  const begun = monotonicMicroseconds();
  if (freeze) await runtime.pause(id);
  try {
    await explainDumpFailure(container, () =>
      runtime.checkpoint(id, { imagePath: images, workPath, criuEnvironment, ...options }),
    );
    const runtimeDuration = monotonicMicroseconds() - begun;
    await saveShm(ctx.store, id, shmArchivePath(images));
    await writeNetworkStatus(images, container.state.networks);
    return { runtimeDuration, statistics: await readDumpStats(join(workPath, 'stats-dump')) };
  } finally {
    if (freeze) await runtime.resume(id);
  }
}
