import { isCryopodError } from '../../model/errors.ts';
import type { Network, NetworkStatus } from '../../model/network.ts';
import { findNetwork } from '../../network/store.ts';
import { listContainers } from '../../state/containers.ts';
import type { EngineContext } from '../context.ts';

/** A network with the running containers on it, by ID, in the shape of podman's `network inspect`. */
export interface NetworkReport extends Network {
  readonly containers: Readonly<Record<string, NetworkMember>>;
}

export interface NetworkMember {
  readonly name: string;
  readonly interfaces: NetworkStatus['interfaces'];
}

/** A network by name, ID or beginning of an ID. Errors: NO_SUCH_NETWORK, AMBIGUOUS_ID. */
export async function inspectNetwork(ctx: EngineContext, nameOrId: string): Promise<NetworkReport> {
  const network = await findNetwork(ctx.store, nameOrId);
  const members = listContainers(ctx.db).flatMap(({ config, state }): [string, NetworkMember][] => {
    const status = state.networks[network.name];
    return status === undefined ? [] : [[config.id, { name: config.name, interfaces: status.interfaces }]];
  });
  return { ...network, containers: Object.fromEntries(members) };
}

/** True where a network has this name or ID. */
export async function networkExists(ctx: EngineContext, nameOrId: string): Promise<boolean> {
  try {
    await findNetwork(ctx.store, nameOrId);
    return true;
  } catch (error) {
    if (isCryopodError(error, 'NO_SUCH_NETWORK')) return false;
    throw error;
  }
}
