import { statSync } from 'node:fs';
import type { ContainerConfig } from '../model/container.ts';
import { errnoOf } from '../model/errors.ts';
import { mergedDirectory } from '../rootfs/overlay.ts';
import { removeOwnCgroup } from '../runtime/own-cgroup.ts';
import { cgroupPath } from '../runtime/spec/resources.ts';
import { cgroupExists, cgroupProcesses } from '../system/cgroups.ts';
import { waitFor } from '../system/clock.ts';
import { logWarning } from '../system/log.ts';
import { signalIfThere } from '../system/process.ts';
import type { EngineContext } from './context.ts';

/** Milliseconds that the kernel may need to end processes with much memory. */
const END_LIMIT_MS = 10_000;

/**
 * Ends processes of a container of which its runtime knows nothing: it was killed while CRIU brought them back to life. Then
 * removes the container's cgroup. Nothing of the container may be meant to run; its root file system is still mounted, by which
 * its processes are told from those of another store's container with the same cgroup. Idempotent.
 */
export async function endStrays(ctx: EngineContext, config: ContainerConfig): Promise<void> {
  const root = placeOf(mergedDirectory(ctx.store, config.id));
  const strays = (): number[] =>
    cgroupProcesses(cgroupPath(config)).filter(
      (pid) => root !== undefined && placeOf(`/proc/${pid}/root/`) === root,
    );
  let isMet = false;
  const ended = await waitFor(() => {
    const found = strays();
    for (const pid of found) signalIfThere(pid, 'SIGKILL');
    if (found.length > 0) isMet = true;
    else removeOwnCgroup(config);
    // It is in use for a moment after the last of them.
    return found.length === 0 && !(isMet && cgroupExists(cgroupPath(config)));
  }, END_LIMIT_MS);
  if (ended === undefined)
    logWarning(`processes of ${config.name} that its runtime does not know do not end`);
}

/** Names a directory, however it is reached; undefined where it is not there. */
function placeOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch (error) {
    // A zombie has no root any more.
    if (['ENOENT', 'ESRCH', 'EACCES'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}
