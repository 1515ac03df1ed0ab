import type { Volume } from '../../model/volume.ts';
import { createVolumeDirectory } from '../../rootfs/volumes.ts';
import { putVolume, volumeByName } from '../../state/volumes.ts';
import { timestamp } from '../../system/clock.ts';
import type { EngineContext } from '../context.ts';

/** The volume of this name, made if it does not exist. */
export async function ensureVolume(
  ctx: EngineContext,
  name: string,
  { anonymous }: { readonly anonymous: boolean },
): Promise<Volume> {
  const existing = volumeByName(ctx.db, name);
  if (existing !== undefined) return existing;
  const volume: Volume = {
    name,
    driver: 'local',
    mountpoint: await createVolumeDirectory(ctx.store, name),
    created: timestamp(),
    labels: {},
    options: {},
    anonymous,
    copiedUp: false,
  };
  putVolume(ctx.db, volume);
  return volume;
}
