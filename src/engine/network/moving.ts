import type { Container } from '../../model/container.ts';
import type { Network, NetworkStatus } from '../../model/network.ts';
import { isDirect } from '../../network/drivers.ts';
import { statusAddresses } from '../../network/ipam.ts';
import { networkIfThere } from '../../network/store.ts';
import type { EngineContext } from '../context.ts';
import type { MovingNetwork } from '../plan/preflight/address-move.ts';

/** The networks that a running container is on, for addressMoveFindings. */
export async function movingNetworks(ctx: EngineContext, { state }: Container): Promise<MovingNetwork[]> {
  return await described(ctx, state.networks);
}

/** The networks of these names here, as far as there are any; `networks`: what a container has of them elsewhere. */
export async function described(
  ctx: EngineContext,
  networks: Readonly<Record<string, NetworkStatus>>,
): Promise<MovingNetwork[]> {
  const found = await Promise.all(
    Object.entries(networks).map(async ([name, status]) => {
      const network = await networkIfThere(ctx.store, name);
      return network === undefined ? [] : [describe(network, status)];
    }),
  );
  return found.flat();
}

const describe = (network: Network, status: NetworkStatus): MovingNetwork => ({
  name: network.name,
  direct: isDirect(network),
  subnets: network.subnets.map(({ subnet }) => subnet),
  addresses: statusAddresses(status),
});
