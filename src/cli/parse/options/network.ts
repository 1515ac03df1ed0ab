import { isIP } from 'node:net';
import type { NetworkConfig } from '../../../model/container.ts';
import type { AttachedNetwork } from '../../../model/network.ts';
import { parsePorts } from './ports.ts';
import { cut, inContext, quoted, refuse } from './usage.ts';

/** Values of --network that are no names of networks. */
const MODES = [
  'bridge',
  'none',
  'host',
  'container',
  'ns',
  'private',
  'default',
  'pod',
  'pasta',
  'slirp4netns',
];

/** A MAC address of six bytes, lower case with colons. Throws USAGE with Go's words. */
export function parseMac(text: string): string {
  if (!/^[0-9a-fA-F]{2}([:-])(?:[0-9a-fA-F]{2}\1){4}[0-9a-fA-F]{2}$/.test(text)) {
    refuse(`address ${text}: invalid MAC address`);
  }
  return text.toLowerCase().replaceAll('-', ':');
}

/** `ip=…,ip6=…,mac=…,alias=…,interface_name=…` behind the name of a network. */
function parseAttachment(name: string, text: string): AttachedNetwork {
  const staticIps: string[] = [];
  const aliases: string[] = [];
  let staticMac: string | undefined;
  let interfaceName: string | undefined;
  for (const option of text === '' ? [] : text.split(',')) {
    const [key, value = ''] = cut(option, '=');
    if (key === 'ip' || key === 'ip6') {
      if (isIP(value) === 0) refuse(`invalid ip address ${quoted(value)}`);
      staticIps.push(value);
    } else if (key === 'mac') {
      staticMac = parseMac(value);
    } else if (key === 'alias') {
      if (value === '') refuse('alias cannot be empty');
      aliases.push(value);
    } else if (key === 'interface_name') {
      if (!/^[^\s/:]{1,15}$/.test(value)) refuse(`interface_name ${quoted(value)} is not valid`);
      interfaceName = value;
    } else {
      refuse(`unknown option ${quoted(option)}`);
    }
  }
  return { name, staticIps, aliases, staticMac, interfaceName };
}

const plain = (name: string): AttachedNetwork => ({ name, staticIps: [], aliases: [] });

export interface NetworkChoice {
  readonly mode: NetworkConfig['mode'];
  readonly target?: string | undefined;
  readonly networks: readonly AttachedNetwork[];
}

function attach(text: string): AttachedNetwork {
  const [name, options] = cut(text, ':');
  if (name === '') refuse('network name cannot be empty: invalid argument');
  return options === undefined
    ? plain(name)
    : inContext(`invalid option for network ${name}`, () => parseAttachment(name, options));
}

/** What the first --network asks for; the default is the bridge mode on the default network. */
function firstChoice(text: string, defaultNetwork: string): NetworkChoice {
  const [word, rest] = cut(text, ':');
  if (text === '' || text === 'private' || text === 'default')
    return { mode: 'bridge', networks: [plain(defaultNetwork)] };
  if (word === 'bridge') return { mode: 'bridge', networks: [parseAttachment(defaultNetwork, rest ?? '')] };
  if (text === 'none' || text === 'host') return { mode: text, networks: [] };
  if ((word === 'container' || word === 'ns') && rest !== undefined) {
    if (rest === '') refuse(`namespace mode ${word === 'ns' ? 'path' : word} requires a value`);
    return { mode: word, target: rest, networks: [] };
  }
  if (MODES.includes(word)) refuse(`invalid network ${quoted(text)}`);
  if (rest !== undefined) return { mode: 'bridge', networks: [attach(text)] };
  return { mode: 'bridge', networks: text.split(',').map(attach) };
}

/** All values of --network: a mode, or names of networks with their options. Throws USAGE. */
export function parseNetworks(values: readonly string[], defaultNetwork: string): NetworkChoice {
  const [first = '', ...more] = values;
  const choice = firstChoice(first, defaultNetwork);
  if (more.length === 0) return choice;
  if (choice.mode !== 'bridge') {
    refuse(
      `cannot set multiple networks without bridge network mode, selected mode ${choice.mode}: invalid argument`,
    );
  }
  const extra = more.map((text) => {
    const [name] = cut(text, ':');
    if (MODES.includes(name)) {
      refuse(
        `can only set extra network names, selected mode ${name} conflicts with bridge: invalid argument`,
      );
    }
    return attach(text);
  });
  return { ...choice, networks: [...choice.networks, ...extra] };
}

/** One value of --add-host: `NAME[;NAME…]:IP`, IP also `host-gateway`. Throws USAGE. */
export function parseAddHost(text: string): { host: string; ip: string }[] {
  const [names, ip] = cut(text, ':');
  if (ip === undefined || names === '') return refuse(`bad format for add-host: ${quoted(text)}`);
  const address = ip.trim().replace(/^\[(.*)\]$/, '$1');
  if (address !== 'host-gateway' && isIP(address) === 0)
    refuse(`invalid IP address in add-host: ${quoted(ip)}`);
  return names.split(';').map((host) => {
    if (host === '') refuse(`hostname in add-host ${quoted(text)} is empty`);
    if (/[\s#]/.test(host)) refuse(`hostname in add-host ${quoted(text)} is not valid`);
    return { host, ip: address };
  });
}

const DOMAIN =
  /^(?:[a-zA-Z0-9_](?:[a-zA-Z0-9_-]*[a-zA-Z0-9_])?)(?:\.[a-zA-Z0-9_](?:[a-zA-Z0-9_-]*[a-zA-Z0-9_])?)*\.?$/;

function checkSearch(domains: readonly string[]): readonly string[] {
  if (domains.includes('.') && domains.length > 1) {
    refuse("cannot pass additional search domains when also specifying '.'");
  }
  for (const domain of domains) {
    if (domain !== '.' && !(DOMAIN.test(domain) && /[a-zA-Z]/.test(domain) && domain.length < 255)) {
      refuse(`${domain} is not a valid domain`);
    }
  }
  return domains;
}

function checkServers(servers: readonly string[]): readonly string[] {
  for (const server of servers) {
    if (isIP(server) === 0) refuse(`${server} is not an ip address`);
  }
  return servers;
}

export interface NetworkFlags {
  readonly network: readonly string[];
  readonly ip?: string | undefined;
  readonly ip6?: string | undefined;
  readonly macAddress?: string | undefined;
  readonly networkAlias: readonly string[];
  readonly publish: readonly string[];
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOption: readonly string[];
  readonly addHost: readonly string[];
}

function onlyBridge(flag: string, choice: NetworkChoice, single: boolean): void {
  if (choice.mode !== 'bridge')
    refuse(`--${flag} can only be set when the network mode is bridge: invalid argument`);
  if (single && choice.networks.length !== 1)
    refuse(`--${flag} can only be set for a single network: invalid argument`);
}

/** Puts --ip, --ip6, --mac-address and --network-alias into the networks they are for. */
function applyAddresses(choice: NetworkChoice, flags: NetworkFlags): readonly AttachedNetwork[] {
  let networks = choice.networks;
  for (const [flag, address] of [
    ['ip', flags.ip],
    ['ip6', flags.ip6],
  ] as const) {
    if (address === undefined || address === '') continue;
    if (isIP(address) === 0) refuse(`${quoted(address)} is not an ip address`);
    onlyBridge(flag, choice, true);
    networks = networks.map((network) => ({ ...network, staticIps: [...network.staticIps, address] }));
  }
  if (flags.macAddress !== undefined && flags.macAddress !== '') {
    const staticMac = parseMac(flags.macAddress);
    onlyBridge('mac-address', choice, true);
    networks = networks.map((network) => ({ ...network, staticMac }));
  }
  if (flags.networkAlias.length > 0) {
    onlyBridge('network-alias', choice, false);
    networks = networks.map((network) => ({
      ...network,
      aliases: [...network.aliases, ...flags.networkAlias],
    }));
  }
  return networks;
}

/** Everything about a container's network that its command line says. Throws USAGE. */
export function parseNetworkConfig(flags: NetworkFlags, defaultNetwork: string): NetworkConfig {
  const choice = parseNetworks(flags.network, defaultNetwork);
  const asksDns = flags.dns.length + flags.dnsSearch.length + flags.dnsOption.length > 0;
  if (asksDns && (choice.mode === 'none' || choice.mode === 'container')) {
    refuse(`conflicting options: dns and the network mode: ${choice.mode}`);
  }
  return {
    ...choice,
    networks: applyAddresses(choice, flags),
    ports: parsePorts(flags.publish),
    dnsServers: checkServers(flags.dns),
    dnsSearch: checkSearch(flags.dnsSearch),
    dnsOptions: flags.dnsOption,
    addHosts: flags.addHost.flatMap(parseAddHost),
  };
}
