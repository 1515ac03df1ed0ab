import { fail } from '../../model/errors.ts';
import type { Filters } from '../../model/filters.ts';
import type { Network } from '../../model/network.ts';
import { DEFAULT_NETWORK, findNetwork, removeNetwork as forgetNetwork } from '../../network/store.ts';
import type { EngineContext } from '../context.ts';
import { removeContainer } from '../remove.ts';
import { withNetworksLock } from './lock.ts';
import { listNetworks } from './ls.ts';
import { networkUsers } from './usage.ts';

export interface RemoveNetworkOptions {
  /** Removes the containers on it first. */
  readonly force: boolean;
  /** Seconds between a container's stop signal and KILL; undefined: its own. */
  readonly timeout?: number | undefined;
}

/** Removes a network. Errors: NO_SUCH_NETWORK, AMBIGUOUS_ID, NETWORK_IN_USE, USAGE for the default network. */
export async function removeNetwork(
  ctx: EngineContext,
  nameOrId: string,
  { force, timeout }: RemoveNetworkOptions,
): Promise<void> {
  const network = await findNetwork(ctx.store, nameOrId);
  // The default network is refused before any container is lost to --force.
  if (force && network.name !== DEFAULT_NETWORK) {
    for (const { config } of networkUsers(ctx, network)) {
      await removeContainer(ctx, config.id, { force: true, volumes: true, timeout });
    }
  }
  await withNetworksLock(ctx, 'remove', async () => {
    if (networkUsers(ctx, network).length > 0 && network.name !== DEFAULT_NETWORK) {
      fail('NETWORK_IN_USE', {
        message: `"${nameOrId}" has associated containers with it. Use -f to forcibly delete containers and pods: network is being used`,
      });
    }
    await forgetNetwork(ctx.store, network.name);
  });
}

/** Removes networks, but the default one, that no container belongs to; returns their names. Errors: USAGE. */
export async function pruneNetworks(ctx: EngineContext, filters: Filters): Promise<string[]> {
  return await withNetworksLock(ctx, 'prune', async () => {
    const unused = ({ name, id }: Network): boolean =>
      name !== DEFAULT_NETWORK && networkUsers(ctx, { name, id }).length === 0;
    const names = (await listNetworks(ctx, filters)).filter(unused).map(({ name }) => name);
    for (const name of names) await forgetNetwork(ctx.store, name);
    return names;
  });
}
