import type { Network, NetworkStatus } from '../../model/network.ts';
import { isDirect } from '../../network/drivers.ts';
import { statusAddresses } from '../../network/ipam.ts';
import { networkIfThere } from '../../network/store.ts';
import type { EngineContext } from '../context.ts';
import type { MovingNetwork } from '../plan/preflight/address-move.ts';

/** The networks of these names here, as far as there are any, for addressMoveFindings. */
export async function networksOf(
  ctx: EngineContext,
  status: Readonly<Record<string, NetworkStatus>>,
): Promise<MovingNetwork[]> {
  const found = await Promise.all(
    Object.entries(status).map(async ([name, one]) => {
      const network = await networkIfThere(ctx.store, name);
      return network === undefined ? [] : [describe(network, one)];
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
