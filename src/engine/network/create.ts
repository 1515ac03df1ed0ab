import type { Network } from '../../model/network.ts';
import { listNetworks, type NetworkRequest, createNetwork as recordNetwork } from '../../network/store.ts';
import type { EngineContext } from '../context.ts';
import { withNetworksLock } from './lock.ts';

export type { NetworkRequest } from '../../network/store.ts';

export interface CreateNetworkOptions {
  /** An existing network of the name is no error. */
  readonly ignore: boolean;
}

/** Makes a network. Nothing is set up on the host before a container joins it. Errors: those of the store's createNetwork. */
export async function createNetwork(
  ctx: EngineContext,
  request: NetworkRequest,
  { ignore }: CreateNetworkOptions,
): Promise<Network> {
  return await withNetworksLock(ctx, 'create', async () => {
    const existing = (await listNetworks(ctx.store)).find(({ name }) => name === request.name);
    return ignore && existing !== undefined ? existing : await recordNetwork(ctx.store, request);
  });
}
