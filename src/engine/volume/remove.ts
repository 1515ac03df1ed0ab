import { fail } from '../../model/errors.ts';
import type { Filters } from '../../model/filters.ts';
import type { Volume } from '../../model/volume.ts';
import { removeVolumeDirectory } from '../../rootfs/volumes.ts';
import { deleteVolume, findVolume, volumeByName } from '../../state/volumes.ts';
import type { EngineContext } from '../context.ts';
import { removeContainer } from '../remove.ts';
import { selectVolumes } from './list.ts';
import { withVolumesLock } from './lock.ts';
import { volumeUsers } from './usage.ts';

export interface RemoveVolumeOptions {
  /** Removes the containers that use it first. */
  readonly force: boolean;
  /** Seconds between a container's stop signal and KILL; undefined: its own. */
  readonly timeout?: number | undefined;
}

/** Removes a volume with its content and returns its name. Errors: NO_SUCH_VOLUME, AMBIGUOUS_ID, VOLUME_IN_USE. */
export async function removeVolume(
  ctx: EngineContext,
  nameOrPrefix: string,
  { force, timeout }: RemoveVolumeOptions,
): Promise<string> {
  const { name } = findVolume(ctx.db, nameOrPrefix);
  if (force) {
    for (const { config } of volumeUsers(ctx).get(name) ?? []) {
      await removeContainer(ctx, config.id, { force: true, volumes: false, timeout });
    }
  }
  return await withVolumesLock(ctx, 'remove', async () => {
    const users = volumeUsers(ctx).get(name) ?? [];
    if (users.length > 0) {
      const ids = users.map(({ config }) => config.id).join(', ');
      fail('VOLUME_IN_USE', {
        message: `volume ${name} is being used by the following container(s): ${ids}: volume is being used`,
        hint: 'Remove the containers first, or give --force.',
      });
    }
    await removeUnused(ctx, name);
    return name;
  });
}

/** Files before the record: what a crash leaves is a volume without files, which a second removal clears. */
async function removeUnused(ctx: EngineContext, name: string): Promise<void> {
  await removeVolumeDirectory(ctx.store, name);
  deleteVolume(ctx.db, name);
}

/** Unused volumes that pass the filters: what {@link pruneVolumes} would remove. */
export function prunableVolumes(ctx: EngineContext, filters: Filters, all: boolean): Volume[] {
  return selectVolumes(ctx, filters)
    .filter(({ volume, users }) => users.length === 0 && (all || volume.anonymous))
    .map(({ volume }) => volume);
}

/** Removes volumes that no container uses, only anonymous ones unless `all`; returns their names. */
export async function pruneVolumes(ctx: EngineContext, filters: Filters, all: boolean): Promise<string[]> {
  return await withVolumesLock(ctx, 'prune', async () => {
    const names: string[] = [];
    for (const { name } of prunableVolumes(ctx, filters, all)) {
      await removeUnused(ctx, name);
      names.push(name);
    }
    return names;
  });
}

/** True where a volume has exactly this name. */
export const volumeExists = (ctx: EngineContext, name: string): boolean =>
  volumeByName(ctx.db, name) !== undefined;
