import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fail } from '../model/errors.ts';
import type { Network, NetworkStatus } from '../model/network.ts';
import { type RunResult, run } from '../system/process.ts';
import { parseCidr } from './address.ts';
import { hostLinks } from './host.ts';
import { inNamespace } from './namespace.ts';
import type { Attachment } from './netavark.ts';

/** Metric of the default route: that of netavark for bridges, and for macvlan links, which it prefers to those. */
const METRIC: Readonly<Record<Network['driver'], string>> = { bridge: '100', macvlan: '99' };

/**
 * Connects a namespace to a direct network: a macvlan link, or a veth pair into a bridge that others keep. netavark knows
 * such bridges since 1.9 only. No firewall rule, no name server, no port forwarding belongs to it. Not idempotent. Fails
 * with NETWORK_FAILED; what is there then goes with {@link disconnectDirect}.
 */
export async function connectDirect(netns: string, attachment: Attachment): Promise<NetworkStatus> {
  const { network, interfaceName } = attachment;
  const device = deviceOf(network);
  if (device === undefined || !hostLinks().has(device)) failDevice(attachment, device);
  const added = await run(['ip', 'link', 'add', ...linkWords(netns, attachment, device)]);
  if (!added.ok) failDirect(attachment, added);
  if (network.driver === 'bridge') await joinBridge(outerName(netns, attachment), attachment, device);
  await withoutDiscovery(netns, interfaceName);
  const input = addressLines(attachment).join('');
  const result = await run(inNamespace(netns, ['ip', '-batch', '-']), { input });
  if (!result.ok) failDirect(attachment, result);
  return statusOf(attachment);
}

/** Takes the link away, at once and not when the kernel gets to it. Idempotent. */
export async function disconnectDirect(netns: string, { interfaceName }: Attachment): Promise<void> {
  // Its failure says that the link is gone: nothing else can hold it.
  await run(inNamespace(netns, ['ip', 'link', 'delete', 'dev', interfaceName]));
}

const optionsOf = ({ options }: Network): Readonly<Record<string, string | undefined>> => options ?? {};

const deviceOf = ({ network_interface }: Network): string | undefined =>
  network_interface === '' ? defaultRouteInterface() : network_interface;

/** The interface of the default route in /proc/net/route: Iface, Destination, … */
function defaultRouteInterface(): string | undefined {
  const routes = readFileSync('/proc/self/net/route', 'utf8').split('\n').slice(1);
  return routes.map((line) => line.split('\t')).find(([, destination]) => destination === '00000000')?.[0];
}

const digestOf = (netns: string, { interfaceName }: Attachment): string =>
  createHash('sha256').update(`${netns} ${interfaceName}`).digest('hex');

/** Name of the end of a veth pair that stays on the host; the same for each run of the container in this store. */
const outerName = (netns: string, attachment: Attachment): string =>
  `cryv${digestOf(netns, attachment).slice(0, 11)}`;

/**
 * MAC of that end. A bridge whose own was not set by hand takes the lowest of its ports: with a high one here, the host
 * keeps its MAC, and so its neighbours, when containers come and go.
 */
const outerMac = (netns: string, attachment: Attachment): string =>
  ['fe', 'ff', ...(digestOf(netns, attachment).match(/../g) ?? []).slice(0, 4)].join(':');

/** What `ip link add` is told. The link begins in the namespace, so that its name may be one of the host's. */
function linkWords(netns: string, attachment: Attachment, device: string): string[] {
  const { network, interfaceName, mac } = attachment;
  const { mtu, mode } = optionsOf(network);
  const size = mtu === undefined ? [] : ['mtu', mtu];
  const link = ['name', interfaceName, 'address', mac, ...size, 'netns', netns];
  return network.driver === 'macvlan'
    ? ['link', device, ...link, 'type', 'macvlan', 'mode', mode ?? 'bridge']
    : [
        ...link,
        'type',
        'veth',
        'peer',
        'name',
        outerName(netns, attachment),
        'address',
        outerMac(netns, attachment),
        ...size,
      ];
}

async function joinBridge(outer: string, attachment: Attachment, bridge: string): Promise<void> {
  const isolated = ['true', 'strict', '1'].includes(optionsOf(attachment.network).isolate ?? '');
  const joined = await run(['ip', 'link', 'set', 'dev', outer, 'master', bridge, 'up']);
  if (!joined.ok) failDirect(attachment, joined);
  if (!isolated) return;
  const result = await run(['ip', 'link', 'set', 'dev', outer, 'type', 'bridge_slave', 'isolated', 'on']);
  if (!result.ok) failDirect(attachment, result);
}

/**
 * As netavark does: addresses come from cryopod alone, and are there at once. An address whose uniqueness is still being
 * checked cannot be bound, also not by CRIU for a connection that it restores.
 */
async function withoutDiscovery(netns: string, interfaceName: string): Promise<void> {
  const words = ['autoconf', 'accept_dad'].map((name) => `net/ipv6/conf/${interfaceName}/${name}=0`);
  // -e: a kernel without IPv6 has none of these.
  await run(inNamespace(netns, ['sysctl', '-e', '-q', '-w', ...words]));
}

function addressLines({ network, interfaceName, addresses }: Attachment): string[] {
  const { metric = METRIC[network.driver], no_default_route: none } = optionsOf(network);
  const lines = addresses.map((address, i) => {
    const prefix = parseCidr(network.subnets[i]?.subnet ?? '')?.prefix;
    const family = address.includes(':') ? 'nodad' : 'broadcast +';
    return `address add ${address}/${prefix} ${family} dev ${interfaceName}\n`;
  });
  const gateways = network.internal || none === 'true' || none === '1' ? [] : network.subnets;
  const routes = gateways.flatMap(({ gateway }) =>
    gateway === undefined ? [] : [`route add default via ${gateway} dev ${interfaceName} metric ${metric}\n`],
  );
  return [...lines, `link set dev ${interfaceName} up\n`, ...routes];
}

function statusOf({ network, interfaceName, addresses, mac }: Attachment): NetworkStatus {
  const subnets = addresses.map((address, i) => {
    const { subnet = '', gateway } = network.subnets[i] ?? {};
    const ipnet = `${address}/${parseCidr(subnet)?.prefix}`;
    return gateway === undefined || network.internal ? { ipnet } : { ipnet, gateway };
  });
  return { interfaces: { [interfaceName]: { mac_address: mac, subnets } } };
}

function failDevice({ network }: Attachment, device: string | undefined): never {
  const why =
    network.driver === 'bridge'
      ? `the bridge ${device} does not exist: in unmanaged mode, the bridge must already exist on the host`
      : device === undefined
        ? 'the host has no default route that would name the parent interface'
        : `parent interface ${device} does not exist`;
  fail('NETWORK_FAILED', {
    message: `could not connect to network ${network.name}: ${why}`,
    hint:
      network.driver === 'bridge'
        ? `Make it first: ip link add ${device} type bridge.`
        : 'Make the network anew with -o parent=INTERFACE; ip link shows what there is.',
  });
}

function failDirect({ network }: Attachment, result: RunResult): never {
  const text = result.stderr.trim().replaceAll(/\s*\n\s*/g, '; ') || 'ip is not installed';
  fail('NETWORK_FAILED', { message: `could not connect to network ${network.name}: ${text}` });
}
