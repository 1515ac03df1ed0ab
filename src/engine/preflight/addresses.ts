import type { Container } from '../../model/container.ts';
import type { NetworkStatus } from '../../model/network.ts';
import { formatCidr, parseCidr } from '../../network/address.ts';
import { checkStaticAddress, statusAddresses, takenAddresses } from '../../network/ipam.ts';
import { DEFAULT_NETWORK, networkIfThere } from '../../network/store.ts';
import type { EngineContext } from '../context.ts';
import type { ArchiveView, ImportCheckOptions, ImportFacts } from '../plan/preflight/types.ts';
import { problemsOf } from './problems.ts';

type AddressFacts = Pick<ImportFacts, 'missingNetworks' | 'addressProblems'>;

/** Are the networks of a container here, and can it have its addresses back? A container of a new name gets new ones. */
export async function addressFacts(
  ctx: EngineContext,
  { config, networks: before }: Pick<ArchiveView, 'config' | 'networks'>,
  options: Pick<ImportCheckOptions, 'name' | 'ignoreStaticIp'>,
  containers: readonly Container[],
): Promise<AddressFacts> {
  if (config.network.mode !== 'bridge') return { missingNetworks: [], addressProblems: [] };
  const asked =
    config.network.networks.length > 0
      ? config.network.networks
      : [{ name: DEFAULT_NETWORK, staticIps: [], aliases: [] }];
  const others = containers
    .filter((other) => other.config.id !== config.id)
    .map((other) => ({ id: other.config.id, networks: other.state.networks }));
  const keeps = !options.ignoreStaticIp && options.name === undefined;
  const missingNetworks: AddressFacts['missingNetworks'][number][] = [];
  const addressProblems: AddressFacts['addressProblems'][number][] = [];
  for (const { name, staticIps } of asked) {
    const network = await networkIfThere(ctx.store, name);
    if (network === undefined) {
      missingNetworks.push({ name, subnets: subnetsOf(before?.[name]) });
    } else if (keeps) {
      const status = before?.[network.name];
      const addresses = status === undefined ? staticIps : statusAddresses(status);
      const taken = takenAddresses(others, network.name);
      addressProblems.push(
        ...(await problemsOf(addresses, (address) => checkStaticAddress(network, address, taken))),
      );
    }
  }
  return { missingNetworks, addressProblems };
}

/** The subnets of a network that is known only by an address in it with its prefix length. */
const subnetsOf = (status: NetworkStatus | undefined): string[] =>
  Object.values(status?.interfaces ?? {})
    .flatMap(({ subnets }) => subnets)
    .flatMap(({ ipnet }) => {
      const cidr = parseCidr(ipnet);
      return cidr === undefined ? [] : [formatCidr(cidr)];
    });
