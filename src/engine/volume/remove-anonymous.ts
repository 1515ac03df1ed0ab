import type { ContainerMount } from '../../model/container.ts';
import { removeVolumeDirectory } from '../../rootfs/volumes.ts';
import { listContainers } from '../../state/containers.ts';
import { deleteVolume, volumeByName } from '../../state/volumes.ts';
import type { EngineContext } from '../context.ts';

/** Removes the anonymous volumes among `mounts` that no other container uses. Idempotent. */
export async function removeAnonymousVolumes(
  ctx: EngineContext,
  mounts: readonly ContainerMount[],
): Promise<void> {
  const used = new Set(
    listContainers(ctx.db).flatMap(({ config }) =>
      config.mounts.filter(({ type }) => type === 'volume').map(({ source }) => source),
    ),
  );
  for (const { type, source } of mounts) {
    if (type !== 'volume' || used.has(source) || volumeByName(ctx.db, source)?.anonymous !== true) continue;
    await removeVolumeDirectory(ctx.store, source);
    deleteVolume(ctx.db, source);
  }
}
