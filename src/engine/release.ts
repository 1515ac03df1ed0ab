import { rm } from 'node:fs/promises';
import type { Container, ContainerState } from '../model/container.ts';
import { unmountRootfs } from '../rootfs/overlay.ts';
import { unmountShm } from '../rootfs/shm.ts';
import { bundleDirectory, runDirectory } from '../system/store-paths.ts';
import type { EngineContext } from './context.ts';
import { removeCriuScratch } from './criu-scratch.ts';
import { detachNetwork } from './network/detach.ts';

/** The part of a container's record that says what it holds of the host. */
type Holdings = Pick<ContainerState, 'netns' | 'networks' | 'networkHeld' | 'ports'>;

/**
 * Gives back what a stopped container held of the host: mounts, volatile files and, unless it is kept, its network.
 * Idempotent. Returns what remains, for the record.
 */
export async function release(
  ctx: EngineContext,
  container: Container,
  { keepNetwork = false }: { readonly keepNetwork?: boolean } = {},
): Promise<Holdings> {
  const { id } = container.config;
  await removeCriuScratch(bundleDirectory(ctx.store, id));
  await unmountShm(ctx.store, id);
  await unmountRootfs(ctx.store, id);
  if (keepNetwork) {
    const { netns, networks, networkHeld, ports } = container.state;
    return { netns, networks, networkHeld, ports };
  }
  await detachNetwork(ctx, container);
  await rm(runDirectory(ctx.store, id), { recursive: true, force: true });
  return { netns: undefined, networks: {}, networkHeld: false, ports: undefined };
}
