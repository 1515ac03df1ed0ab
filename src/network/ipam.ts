import { randomBytes } from 'node:crypto';
import { fail } from '../model/errors.ts';
import type { Network, NetworkStatus, Subnet } from '../model/network.ts';
import { type Address, type Cidr, contains, formatAddress, parseAddress, parseCidr } from './address.ts';

/** Addresses of a network in use: canonical address → ID of the container that has it. */
export type TakenAddresses = ReadonlyMap<string, string>;

/** What another container occupies. */
export interface NetworkUse {
  readonly id: string;
  readonly networks: Readonly<Record<string, NetworkStatus>>;
}

/** The addresses in `networkName` that the given containers have. */
export function takenAddresses(uses: readonly NetworkUse[], networkName: string): Map<string, string> {
  const taken = new Map<string, string>();
  for (const { id, networks } of uses) {
    const status = networks[networkName];
    if (status === undefined) continue;
    for (const address of statusAddresses(status)) taken.set(address, id);
  }
  return taken;
}

/** All addresses of a status, without their prefix lengths, canonical. */
export function statusAddresses(status: NetworkStatus): string[] {
  return Object.values(status.interfaces)
    .flatMap((link) => link.subnets)
    .flatMap(({ ipnet }) => {
      const address = parseAddress(ipnet.split('/')[0] ?? '');
      return address === undefined ? [] : [formatAddress(address)];
    });
}

/** The CIDR of a recorded subnet. Fails with INTERNAL: records are checked when they are read. */
export function cidrOf(subnet: Subnet): Cidr {
  return parseCidr(subnet.subnet) ?? fail('INTERNAL', { message: `subnet "${subnet.subnet}" is no CIDR` });
}

/**
 * The lowest and the highest address that may be given out: the lease range if there is one, never the network address
 * and never the IPv4 broadcast address. The gateway may lie inside.
 */
export function leaseBounds(subnet: Subnet): readonly [bigint, bigint] {
  const cidr = cidrOf(subnet);
  const bound = (text: string | undefined, otherwise: bigint): bigint =>
    (text === undefined ? undefined : parseAddress(text)?.value) ?? otherwise;
  const start = bound(subnet.lease_range?.start_ip, cidr.first + 1n);
  const end = bound(subnet.lease_range?.end_ip, cidr.last);
  const highest = cidr.family === 4 ? cidr.last - 1n : cidr.last;
  return [start === cidr.first ? start + 1n : start, end > highest ? highest : end];
}

/**
 * The next free address of a subnet after `after` (the one given out last), wrapping around, so that an address is not
 * given to another container at once after its release. Fails with ADDRESS_IN_USE when none is free.
 */
export function chooseAddress(subnet: Subnet, taken: TakenAddresses, after?: string): string {
  const { family } = cidrOf(subnet);
  const [low, high] = leaseBounds(subnet);
  const gateway = subnet.gateway === undefined ? undefined : parseAddress(subnet.gateway)?.value;
  const last = after === undefined ? undefined : parseAddress(after)?.value;
  const start = last === undefined || last < low || last >= high ? low : last + 1n;
  const text = (value: bigint): string => formatAddress({ family, value });
  // At most all taken addresses and the gateway are passed over before a free one shows up.
  const size = high - low + 1n;
  for (let step = 0n; step < size && step <= BigInt(taken.size) + 1n; step += 1n) {
    const value = low + ((start - low + step) % size);
    if (value !== gateway && !taken.has(text(value))) return text(value);
  }
  return fail('ADDRESS_IN_USE', {
    message: `failed to find free IP in range: ${text(low)} - ${text(high)}`,
    hint: 'Remove containers of this network, or create one with a larger --subnet.',
  });
}

/** Refuses an address that cannot be given to the container: malformed, outside, reserved or taken (ADDRESS_IN_USE). */
export function checkStaticAddress(network: Network, text: string, taken: TakenAddresses): Address {
  const address = parseAddress(text);
  if (address === undefined) {
    return fail('USAGE', { message: `invalid IP address "${text}" for network ${network.name}` });
  }
  const subnet = network.subnets.find((candidate) => contains(cidrOf(candidate), address));
  if (subnet === undefined) {
    return fail('ADDRESS_IN_USE', {
      message: `requested static ip ${text} not in any subnet on network ${network.name}`,
      hint: `The network has ${network.subnets.map((each) => each.subnet).join(', ')}.`,
    });
  }
  const canonical = formatAddress(address);
  const { first, last, family } = cidrOf(subnet);
  if (address.value === first || (family === 4 && address.value === last)) {
    fail('ADDRESS_IN_USE', {
      message: `requested ip address ${canonical} is the network or broadcast address of ${subnet.subnet}`,
    });
  }
  if (subnet.gateway !== undefined && parseAddress(subnet.gateway)?.value === address.value) {
    fail('ADDRESS_IN_USE', {
      message: `requested ip address ${canonical} is the gateway of network ${network.name}`,
    });
  }
  const owner = taken.get(canonical);
  if (owner !== undefined) {
    fail('ADDRESS_IN_USE', {
      message: `requested ip address ${canonical} is already allocated to container ID ${owner}`,
    });
  }
  return address;
}

/**
 * One address for each subnet of the network, in the order of its subnets (as netavark wants them): the asked one where
 * the subnet holds it, else the next free one. `last` are the addresses given out last.
 */
export function assignAddresses(
  network: Network,
  asked: readonly string[],
  taken: TakenAddresses,
  last: readonly string[] = [],
): string[] {
  const wanted = asked.map((text) => checkStaticAddress(network, text, taken));
  return network.subnets.map((subnet) => {
    const cidr = cidrOf(subnet);
    const asStatic = wanted.find((address) => contains(cidr, address));
    if (asStatic !== undefined) return formatAddress(asStatic);
    const after = last.find((text) => {
      const address = parseAddress(text);
      return address !== undefined && contains(cidr, address);
    });
    return chooseAddress(subnet, taken, after);
  });
}

/** A random unicast MAC address from the locally administered range (IEEE 802: second lowest bit of the first octet). */
export function randomMac(): string {
  const octets = randomBytes(6);
  octets[0] = ((octets[0] ?? 0) & 0xfc) | 0x02;
  return formatMac(octets);
}

const formatMac = (octets: Uint8Array): string =>
  Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join(':');

/** A MAC address in lower case with colons; refuses what is none, and multicast addresses. */
export function checkMac(text: string): string {
  const digits = text.replaceAll(/[:-]/g, '').toLowerCase();
  const octets = Buffer.from(digits, 'hex');
  const multicast = ((octets[0] ?? 0) & 1) === 1;
  if (!/^([0-9a-f]{2}([:-]|$)){6}$/i.test(text) || octets.length !== 6 || multicast) {
    fail('USAGE', {
      message: `invalid MAC address "${text}": six octets as in 92:d0:c6:0a:29:33 are needed`,
    });
  }
  return formatMac(octets);
}
