import { rm } from 'node:fs/promises';
import { isStored } from '../model/checkpoint.ts';
import type { Container } from '../model/container.ts';
import { fail } from '../model/errors.ts';
import { removeContainerFiles } from '../rootfs/overlay.ts';
import { forgetExit } from '../runtime/monitor.ts';
import { openRuntime } from '../runtime/runtime.ts';
import { listCheckpoints } from '../state/checkpoints.ts';
import { deleteContainer, listContainers } from '../state/containers.ts';
import { beginOperation, endOperation } from '../state/journal.ts';
import { faultPoint } from '../system/faults.ts';
import { runDirectory } from '../system/store-paths.ts';
import type { EngineContext } from './context.ts';
import { freeConnections } from './network/connections-file.ts';
import { recordedAsActive } from './observe.ts';
import { dependencies } from './plan/dependencies.ts';
import { refuseInDoubt } from './plan/restore.ts';
import { release } from './release.ts';
import { stopLocked } from './stop.ts';
import { removeAnonymousVolumes } from './volume/remove-anonymous.ts';
import { withContainer } from './with-container.ts';

export interface RemoveOptions {
  readonly force: boolean;
  /** Anonymous volumes go too (-v). */
  readonly volumes: boolean;
  /** Named checkpoints go too; without, a container that has any is not removed. */
  readonly history?: boolean | undefined;
  /** Seconds between the stop signal and KILL when a running one is removed by force; undefined: its own. */
  readonly timeout?: number | undefined;
}

/**
 * Removes a container with its files. Errors: NO_SUCH_CONTAINER; CONTAINER_RUNNING (exit status 2) for a running or paused
 * one without `force`; IN_USE when another container joins its namespaces, or it has named checkpoints that are to stay.
 */
export async function removeContainer(
  ctx: EngineContext,
  nameOrId: string,
  options: RemoveOptions,
): Promise<string> {
  return await withContainer(ctx, nameOrId, 'remove', async (container) => {
    const { id } = container.config;
    if (recordedAsActive(container) && !options.force) {
      fail('CONTAINER_RUNNING', {
        message: `cannot remove container ${id} as it is ${container.state.status} - running or paused containers cannot be removed without force: container state improper`,
        hint: 'Stop it first, or give --force.',
      });
    }
    if (!options.force) refuseInDoubt(container);
    refuseWhileNeeded(ctx, container);
    if (options.history !== true) refuseWithHistory(ctx, container);
    const stopped = await stopLocked(ctx, container, options.timeout ?? container.config.stopTimeout);
    await removeLocked(ctx, stopped, { volumes: options.volumes });
    return id;
  });
}

function refuseWhileNeeded(ctx: EngineContext, { config }: Container): void {
  const dependents = listContainers(ctx.db).filter((other) => dependencies(other).includes(config.id));
  if (dependents.length === 0) return;
  const ids = dependents.map((other) => other.config.id).join(',');
  fail('IN_USE', {
    message: `container ${config.id} has dependent containers which must be removed before it: ${ids}: container already exists`,
  });
}

/** Checkpoints that someone gave a name are not lost with a container in passing. */
function refuseWithHistory(ctx: EngineContext, { config }: Container): void {
  const stored = listCheckpoints(ctx.db, config.id).filter(isStored);
  if (stored.length === 0) return;
  const [first] = stored;
  const count = stored.length === 1 ? `the checkpoint ${first?.name}` : `${stored.length} named checkpoints`;
  fail('IN_USE', {
    message: `container ${config.name} has ${count}, which would be lost with it`,
    hint: `Give --force to lose them; or first export what is to stay: cryopod checkpoint export ${config.name}@${first?.name} -o FILE, and remove it: cryopod checkpoint rm ${config.name}@${first?.name}`,
  });
}

/** Removes a stopped container whose lock the caller holds. Idempotent: recovery calls it again after a crash. */
export async function removeLocked(
  ctx: EngineContext,
  container: Container,
  { volumes }: { readonly volumes: boolean },
): Promise<void> {
  const { id, runtime, cgroupManager } = container.config;
  const entry = beginOperation(ctx.db, 'remove', id, { volumes });
  faultPoint('remove.journalled');
  await openRuntime(ctx.store, runtime, { cgroupManager }).delete(id, { force: true });
  await release(ctx, container);
  await freeConnections(ctx.store, id);
  faultPoint('remove.unmounted');
  await removeContainerFiles(ctx.store, id);
  await rm(runDirectory(ctx.store, id), { recursive: true, force: true });
  faultPoint('remove.deleted');
  deleteContainer(ctx.db, id);
  forgetExit(ctx.store, id);
  if (volumes) await removeAnonymousVolumes(ctx, container.config.mounts);
  endOperation(ctx.db, entry);
}
