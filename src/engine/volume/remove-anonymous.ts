import type { ContainerMount } from '../../model/container.ts';
import { removeVolumeDirectory } from '../../rootfs/volumes.ts';
import { listContainers } from '../../state/containers.ts';
import { deleteVolume, volumeByName } from '../../state/volumes.ts';
import type { EngineContext } from '../context.ts';
import { withImagesLock } from '../image/lock.ts';

/** Removes the anonymous volumes among `mounts` that no other container uses. Idempotent. */
export async function removeAnonymousVolumes(
  ctx: EngineContext,
  mounts: readonly ContainerMount[],
): Promise<void> {
  const isAnonymous = (name: string): boolean => volumeByName(ctx.db, name)?.anonymous === true;
  const names = mounts.filter(({ type }) => type === 'volume').map(({ source }) => source);
  await removeUnusedVolumes(ctx, names.filter(isAnonymous));
}

/** Removes the volumes that an undone `run` has made, unless another container was made with them meanwhile. Idempotent. */
export const removeMadeVolumes = (ctx: EngineContext, names: readonly string[]): Promise<void> =>
  withImagesLock(ctx, 'remove the volumes of a container', () => removeUnusedVolumes(ctx, names));

async function removeUnusedVolumes(ctx: EngineContext, names: readonly string[]): Promise<void> {
  const used = new Set(
    listContainers(ctx.db).flatMap(({ config }) =>
      config.mounts.filter(({ type }) => type === 'volume').map(({ source }) => source),
    ),
  );
  for (const name of names) {
    if (used.has(name) || volumeByName(ctx.db, name) === undefined) continue;
    await removeVolumeDirectory(ctx.store, name);
    deleteVolume(ctx.db, name);
  }
}
