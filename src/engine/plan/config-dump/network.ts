import type { NetworkConfig } from '../../../model/container.ts';
import { fail } from '../../../model/errors.ts';
import type { AttachedNetwork, PortMapping } from '../../../model/network.ts';
import type { ConfigDump, SpecDump } from './schema.ts';
import { malformed } from './schema.ts';

/** cryopod's and podman's network for containers that name none. */
const DEFAULT_NETWORK = 'podman';

/** The network of a container of podman's. Errors: ARCHIVE_INVALID, RESTORE_REFUSED (it joins another container's). */
export function podmanNetwork(config: ConfigDump, spec: SpecDump): NetworkConfig {
  const { mode, target } = modeOf(config, spec);
  const isBridge = mode === 'bridge';
  return {
    mode,
    target,
    networks: isBridge ? attached(config) : [],
    ports: isBridge ? [...newPorts(config), ...oldPorts(config)] : [],
    dnsServers: config.dnsServer ?? [],
    dnsSearch: config.dnsSearch ?? [],
    dnsOptions: config.dnsOption ?? [],
    addHosts: (config.hostsAdd ?? []).flatMap(hostLines),
  };
}

/** podman's rootless modes are a bridge here: what the processes see of either is an address. */
const BRIDGES = new Set(['', 'bridge', 'default', 'private', 'slirp4netns', 'pasta']);

function modeOf(config: ConfigDump, spec: SpecDump): Pick<NetworkConfig, 'mode' | 'target'> {
  const given = config.networkMode ?? '';
  const [word = '', ...rest] = given.split(':');
  const namespace = spec.linux.namespaces?.find(({ type }) => type === 'network');
  // podman notes no mode for containers without a network: they have a namespace that it did not make.
  const isAlone = given === '' && config.createNetNS !== true && (namespace?.path ?? '') === '';
  if (given === 'none' || (isAlone && namespace !== undefined)) return { mode: 'none' };
  // Whatever the name says: without a namespace of its own it has the host's.
  if (given === 'host' || namespace === undefined) return { mode: 'host' };
  if (word === 'ns') return { mode: 'ns', target: rest.join(':') };
  if (BRIDGES.has(word)) return { mode: 'bridge' };
  return fail('RESTORE_REFUSED', {
    message: `cannot import ${config.name}: its network mode is ${given}, which is not in the archive`,
    hint: 'Restore the archive with podman.',
  });
}

/** In the order of their interfaces; podman before 6.0 keeps them by name. */
function attached(config: ConfigDump): AttachedNetwork[] {
  const byName = Object.entries(config.newNetworks ?? {}).map(([name, options]) => ({ name, ...options }));
  const old = (config.networks ?? []).map((name) => ({
    name,
    ...(config.staticIP === undefined || config.staticIP === '' ? {} : { static_ips: [config.staticIP] }),
  }));
  const lists: readonly (readonly Named[])[] = [config.orderedNetworks ?? [], byName, old];
  const list = lists.find((networks) => networks.length > 0);
  const sorted = (list ?? [{ name: DEFAULT_NETWORK }]).toSorted(
    (a, b) => interfaceNumber(a) - interfaceNumber(b),
  );
  return sorted.map(
    (network, index): AttachedNetwork => ({
      name: network.name,
      staticIps: network.static_ips ?? [],
      // podman 3 writes it in another form, and only as a copy of what network.status says.
      staticMac: network.static_mac?.includes(':') === true ? network.static_mac : undefined,
      // podman adds the short ID itself.
      aliases: (network.aliases ?? []).filter((alias) => alias !== config.id.slice(0, 12)),
      interfaceName: network.interface_name === `eth${index}` ? undefined : network.interface_name,
    }),
  );
}

type Named = NonNullable<ConfigDump['orderedNetworks']>[number];

const interfaceNumber = ({ interface_name = '' }: Named): number =>
  Number(/^eth(\d+)$/.exec(interface_name)?.[1] ?? Number.MAX_SAFE_INTEGER);

const newPorts = ({ newPortMappings = [] }: ConfigDump): PortMapping[] =>
  newPortMappings.flatMap(({ host_ip = '', container_port, host_port = 0, range = 1, protocol = 'tcp' }) =>
    protocols(protocol).map((one) => ({
      hostIp: host_ip,
      containerPort: container_port,
      hostPort: host_port,
      range: Math.max(range, 1),
      protocol: one,
    })),
  );

const oldPorts = ({ newPortMappings, portMappings = [] }: ConfigDump): PortMapping[] =>
  newPortMappings !== undefined
    ? []
    : portMappings.flatMap(({ hostIP = '', containerPort, hostPort = 0, protocol = 'tcp' }) =>
        protocols(protocol).map((one) => ({
          hostIp: hostIP,
          containerPort,
          hostPort,
          range: 1,
          protocol: one,
        })),
      );

const protocols = (text: string): PortMapping['protocol'][] =>
  text.split(',').map((protocol) => {
    if (protocol === 'tcp' || protocol === 'udp' || protocol === 'sctp') return protocol;
    return malformed('config.dump', `a port has the protocol ${JSON.stringify(protocol)}`);
  });

/** `NAME[;NAME…]:IP`. */
function hostLines(entry: string): NetworkConfig['addHosts'] {
  const colon = entry.indexOf(':');
  const ip = entry.slice(colon + 1).replace(/^\[(.*)\]$/, '$1');
  return entry
    .slice(0, colon)
    .split(';')
    .map((host) => ({ host, ip }));
}
