import type { NetworkConfig } from '../model/container.ts';
import { fail } from '../model/errors.ts';
import type { NetworkStatus } from '../model/network.ts';
import { parseAddress } from './address.ts';
import { statusAddresses } from './ipam.ts';

/** What the contents of a container's network files depend on. */
export interface ContainerFilesInput {
  readonly name: string;
  readonly hostname: string;
  readonly config: NetworkConfig;
  readonly networks: Readonly<Record<string, NetworkStatus>>;
  /** The host's /etc/hosts and /etc/resolv.conf (see {@link hostResolvConf}); empty where missing. */
  readonly hostHosts: string;
  readonly hostResolv: string;
}

interface HostLine {
  readonly ip: string;
  readonly names: readonly string[];
}

/** /etc/hostname. */
export const hostnameContent = (hostname: string): string => `${hostname}\n`;

/**
 * /etc/hosts in podman's order: --add-host, the host's own entries, then what these do not name yet: localhost,
 * host.containers.internal, the container. `host-gateway` as an address stands for the host.
 */
export function hostsContent(input: ContainerFilesInput): string {
  const gateway = hostAddress(input);
  const added = input.config.addHosts.map(({ host, ip }): HostLine => {
    const address = ip === 'host-gateway' ? gateway : ip;
    if (address === undefined) {
      return fail('USAGE', {
        message: `unable to replace "host-gateway" of host entry "${host}:${ip}": host containers internal IP address is empty`,
      });
    }
    return { ip: address, names: host.split(';') };
  });
  const given = [...added, ...readHosts(input.hostHosts)];
  const known = new Set(given.flatMap(({ names }) => names));
  const own: HostLine[] = [
    { ip: '127.0.0.1', names: ['localhost'] },
    { ip: '::1', names: ['localhost'] },
    ...(gateway === undefined
      ? []
      : [{ ip: gateway, names: ['host.containers.internal', 'host.docker.internal'] }]),
    ...ownAddresses(input).map((ip) => ({ ip, names: ownNames(input) })),
  ];
  const missing = own
    .map(({ ip, names }) => ({ ip, names: names.filter((name) => !known.has(name)) }))
    .filter(({ names }) => names.length > 0);
  return [...given, ...missing].map(({ ip, names }) => `${ip}\t${names.join(' ')}\n`).join('');
}

const ownNames = ({ hostname, name }: ContainerFilesInput): string[] => [...new Set([hostname, name])];

function ownAddresses({ config, networks }: ContainerFilesInput): string[] {
  if (config.mode === 'none') return ['127.0.0.1'];
  return config.mode === 'bridge' ? Object.values(networks).flatMap(statusAddresses) : [];
}

/** Where the container reaches its host: the gateway of its first network, IPv4 before IPv6. */
function hostAddress({ config, networks }: ContainerFilesInput): string | undefined {
  if (config.mode === 'host') return '127.0.0.1';
  const gateways = Object.values(networks)
    .flatMap(({ interfaces }) => Object.values(interfaces))
    .flatMap(({ subnets }) => subnets)
    .flatMap(({ gateway }) => gateway ?? []);
  return gateways.find((gateway) => !gateway.includes(':')) ?? gateways[0];
}

/** Entries of a hosts file, comments dropped (hosts(5)). */
const readHosts = (text: string): HostLine[] =>
  text.split('\n').flatMap((line) => {
    const [ip, ...names] = (line.split('#')[0] ?? '').trim().split(/\s+/);
    return ip === undefined || names.length === 0 ? [] : [{ ip, names }];
  });

/** Public servers that podman falls back to when the host names none that a container can reach. */
const FALLBACK_SERVERS = ['8.8.8.8', '8.8.4.4'];
const FALLBACK_SERVERS_V6 = ['2001:4860:4860::8888', '2001:4860:4860::8844'];

/**
 * /etc/resolv.conf: --dns, --dns-search and --dns-option where given (a search of "." means none), the DNS server of
 * the container's networks where they have one, else the host's entries without loopback and link-local servers, which
 * a container cannot reach. With the host's network: the host's entries as they are.
 */
export function resolvContent(input: ContainerFilesInput): string {
  const { config } = input;
  const host = readResolv(input.hostResolv);
  const statuses = Object.values(input.networks);
  const networkServers = statuses.flatMap(({ dns_server_ips }) => dns_server_ips ?? []);
  const networkSearch = statuses.flatMap(({ dns_search_domains }) => dns_search_domains ?? []);
  // With DNS of a network, aardvark-dns asks the --dns servers in the container's stead.
  const servers = [networkServers, config.dnsServers, reachableServers(input, host.servers)].find(
    (list) => list.length > 0,
  );
  const search = config.dnsSearch.length > 0 ? config.dnsSearch : [...networkSearch, ...host.search];
  const options = config.dnsOptions.length > 0 ? config.dnsOptions : host.options;
  return [
    ...(search.length === 0 || search.includes('.') ? [] : [`search ${[...new Set(search)].join(' ')}`]),
    ...[...new Set(servers ?? [])].map((server) => `nameserver ${server}`),
    ...(options.length === 0 ? [] : [`options ${options.join(' ')}`]),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

function reachableServers(input: ContainerFilesInput, servers: readonly string[]): readonly string[] {
  if (input.config.mode === 'host') return servers;
  const hasIpv6 = Object.values(input.networks)
    .flatMap(statusAddresses)
    .some((address) => address.includes(':'));
  const reachable = servers.filter((server) => {
    if (/^127\./.test(server) || server === '::1' || server.includes('%')) return false;
    return hasIpv6 || parseAddress(server)?.family !== 6;
  });
  if (reachable.length > 0) return reachable;
  return hasIpv6 ? [...FALLBACK_SERVERS, ...FALLBACK_SERVERS_V6] : FALLBACK_SERVERS;
}

interface Resolv {
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

/** resolv.conf(5); of several search or options lines the last one counts. */
function readResolv(text: string): Resolv {
  const lines = text.split('\n').map((line) => (line.split(/[#;]/)[0] ?? '').trim().split(/\s+/));
  const values = (key: string): string[][] =>
    lines.filter(([first]) => first === key).map(([, ...rest]) => rest);
  return {
    servers: values('nameserver').flatMap(([server]) => server ?? []),
    search: values('search').at(-1) ?? [],
    options: values('options').at(-1) ?? [],
  };
}

/**
 * Where a host's resolv.conf names only a local stub resolver, the file with the real servers: those of systemd-resolved
 * and NetworkManager.
 */
export function realResolvPath(hostResolv: string): string | undefined {
  const { servers } = readResolv(hostResolv);
  if (servers.length !== 1) return undefined;
  if (servers[0] === '127.0.0.53') return '/run/systemd/resolve/resolv.conf';
  return servers[0] === '127.0.0.1' ? '/run/NetworkManager/no-stub-resolv.conf' : undefined;
}
