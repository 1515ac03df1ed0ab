import type { Container, NetworkConfig } from '../../../model/container.ts';
import type { NetworkStatus, PortMapping } from '../../../model/network.ts';
import { type Fields, nilIfEmpty, omitEmpty } from './fields.ts';

interface HostPort {
  readonly HostIp: string;
  readonly HostPort: string;
}

/** `80/tcp` to host bindings, as in NetworkSettings.Ports and HostConfig.PortBindings. Pure. */
export function portBindings(ports: readonly PortMapping[]): Record<string, HostPort[]> {
  const bindings: Record<string, HostPort[]> = {};
  for (const { hostIp, hostPort, containerPort, protocol, range } of ports) {
    for (let offset = 0; offset < range; offset += 1) {
      const key = `${containerPort + offset}/${protocol}`;
      bindings[key] = [...(bindings[key] ?? []), { HostIp: hostIp, HostPort: String(hostPort + offset) }];
    }
  }
  return bindings;
}

/** `HostConfig.NetworkMode`: one default network is plain `bridge`, as with podman. */
export function networkMode({ mode, target }: NetworkConfig): string {
  return mode === 'container' || mode === 'ns' ? `${mode}:${target ?? ''}` : mode;
}

type Subnet = NetworkStatus['interfaces'][string]['subnets'][number];

const splitCidr = ({ ipnet }: Subnet): [string, number] => {
  const [address = '', length = '0'] = ipnet.split('/');
  return [address, Number(length)];
};

/** Addresses of one network, or empty ones while there is none. */
function addressData(status: NetworkStatus | undefined): Fields {
  const links = Object.entries(status?.interfaces ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, link]) => link);
  const subnets = links.flatMap((link) => link.subnets);
  const [first4, ...more4] = subnets.filter(({ ipnet }) => !ipnet.includes(':'));
  const [first6, ...more6] = subnets.filter(({ ipnet }) => ipnet.includes(':'));
  const [ip4, length4] = first4 === undefined ? ['', 0] : splitCidr(first4);
  const [ip6, length6] = first6 === undefined ? ['', 0] : splitCidr(first6);
  const secondary = (subnet: Subnet): Fields => {
    const [Addr, PrefixLength] = splitCidr(subnet);
    return { Addr, PrefixLength };
  };
  return omitEmpty(
    {
      EndpointID: '',
      Gateway: first4?.gateway ?? '',
      IPAddress: ip4,
      IPPrefixLen: length4,
      SecondaryIPAddresses: more4.map(secondary),
      IPv6Gateway: first6?.gateway ?? '',
      GlobalIPv6Address: ip6,
      GlobalIPv6PrefixLen: length6,
      SecondaryIPv6Addresses: more6.map(secondary),
      MacAddress: links[0]?.mac_address ?? '',
      AdditionalMACAddresses: links.slice(1).map((link) => link.mac_address),
    },
    'SecondaryIPAddresses',
    'SecondaryIPv6Addresses',
    'AdditionalMACAddresses',
  );
}

const extend = (fields: Fields, more: Fields): Fields => Object.assign(fields, more);

/** One of `NetworkSettings.Networks`. */
const attachedData = (
  name: string,
  aliases: readonly string[],
  status: NetworkStatus | undefined = undefined,
): Fields =>
  omitEmpty(
    extend(addressData(status), {
      NetworkID: name,
      DriverOpts: nilIfEmpty({}),
      IPAMConfig: nilIfEmpty({}),
      Links: nilIfEmpty([]),
      Aliases: aliases,
    }),
    'Aliases',
  );

/** `NetworkSettings`; modes without a network of their own stand in the place of one, as with podman. Pure. */
export function networkData({ config, state }: Container): Fields {
  const { mode, networks, ports } = config.network;
  const single = networks.length === 1 ? networks[0] : undefined;
  const attached = networks.map((network): [string, Fields] => [
    network.name,
    attachedData(
      network.name,
      [...new Set([...network.aliases, config.id.slice(0, 12)])],
      state.networks[network.name],
    ),
  ]);
  return extend(addressData(single === undefined ? undefined : state.networks[single.name]), {
    Bridge: '',
    SandboxID: '',
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    Ports: portBindings(state.ports ?? ports),
    SandboxKey: state.netns ?? (mode === 'none' && state.pid > 0 ? `/proc/${state.pid}/ns/net` : ''),
    Networks: Object.fromEntries(attached.length > 0 ? attached : [[mode, attachedData(mode, [])]]),
  });
}
