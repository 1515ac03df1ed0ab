import { statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { ContainerConfig, ContainerMount } from '../model/container.ts';
import { errnoOf, fail } from '../model/errors.ts';
import { copyUp } from '../rootfs/volumes.ts';
import type { MountTarget } from '../rootfs/workdir.ts';
import type { ResolvedMount } from '../runtime/types.ts';
import { withLock } from '../state/locks.ts';
import { putVolume } from '../state/volumes.ts';
import type { EngineContext } from './context.ts';
import { ensureVolume } from './volume/ensure.ts';

/**
 * The container's mounts with their host side: volumes become directories, filled from the image on their first use.
 * Errors: CONTAINER_STATE when the source of a bind mount is missing.
 */
export async function resolveMounts(
  ctx: EngineContext,
  { id, mounts }: ContainerConfig,
  rootfs: string,
): Promise<ResolvedMount[]> {
  const resolved: ResolvedMount[] = [];
  for (const mount of mounts) resolved.push(await resolveMount(ctx, id, mount, rootfs));
  return resolved;
}

async function resolveMount(
  ctx: EngineContext,
  id: string,
  mount: ContainerMount,
  rootfs: string,
): Promise<ResolvedMount> {
  const { type, source, destination, options } = mount;
  if (type === 'tmpfs') return { type, source: '', destination, options };
  if (type === 'bind') {
    await requireSource(id, source, destination);
    return { type, source, destination, options };
  }
  const mountpoint = await fillVolume(ctx, mount, rootfs);
  return {
    type: 'bind',
    source: mountpoint,
    destination,
    options: options.filter((o) => o !== 'nocopy'),
  };
}

/** The volume's directory; its first user copies the image's content into it, and others wait until that is done. */
async function fillVolume(
  ctx: EngineContext,
  { source, destination, options, anonymous }: ContainerMount,
  rootfs: string,
): Promise<string> {
  return await withLock(
    ctx.db,
    `volume ${source}`,
    'fill',
    async () => {
      const volume = await ensureVolume(ctx, source, { anonymous: anonymous === true });
      if (!volume.copiedUp) {
        if (!options.includes('nocopy')) await copyUp(rootfs, destination, volume.mountpoint);
        putVolume(ctx.db, { ...volume, copiedUp: true });
      }
      return volume.mountpoint;
    },
    ctx.lockTimeout,
    ctx.signal,
  );
}

async function requireSource(id: string, source: string, destination: string): Promise<void> {
  try {
    await stat(source);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    fail('CONTAINER_STATE', {
      message: `cannot mount ${source} at ${destination} in ${id}: statfs ${source}: no such file or directory`,
      hint: 'Create it on the host first.',
    });
  }
}

/** What a resolved mount needs in the root file system to sit on. */
export const mountTarget = ({ type, source, destination }: ResolvedMount): MountTarget => ({
  destination,
  kind: type === 'tmpfs' || statSync(source).isDirectory() ? 'directory' : 'file',
});
