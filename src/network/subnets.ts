import { createHash, randomBytes } from 'node:crypto';
import { fail } from '../model/errors.ts';
import type { Subnet } from '../model/network.ts';
import { DEFAULT_ROOT } from '../system/store-paths.ts';
import {
  type Cidr,
  contains,
  formatAddress,
  formatCidr,
  overlaps,
  parseAddress,
  parseCidr,
} from './address.ts';

/** First second octet of the pool 10.N.0.0/16; podman's own default network and pool begin at 10.88 and 10.89. */
const POOL_START = 90;
const POOL_END = 255;

/**
 * Where in the pool a store begins to look. Networks of another store without a running container do not show on the
 * host, so that each other root begins at a place of its own; the default root begins at the start.
 */
function poolOffset(root: string): number {
  if (root === DEFAULT_ROOT) return 0;
  return 1 + (rootHash(root).readUInt32BE(0) % (POOL_END - POOL_START - 1));
}

const rootHash = (root: string): Buffer => createHash('sha256').update(root).digest();

/** Prefix of the bridge names of a store: `cryo` for the default root, `cryo` and six digits for another. */
export const bridgePrefix = (root: string): string =>
  root === DEFAULT_ROOT ? 'cryo' : `cryo${rootHash(root).toString('hex').slice(0, 6)}-`;

/** The first bridge name of the store that is not in `used`. Fits the 15 characters of an interface name. */
export function freeBridgeName(root: string, used: ReadonlySet<string>): string {
  for (let i = 0; ; i += 1) {
    const name = `${bridgePrefix(root)}${i}`;
    if (!used.has(name)) return name;
  }
}

/** The first /`prefix` (16 or 24) of the pool 10.90.0.0 to 10.255.255.255 that overlaps nothing in `used`. */
export function freeSubnet(root: string, prefix: 16 | 24, used: readonly Cidr[]): Cidr {
  const perBlock = prefix === 16 ? 1 : 256;
  const blocks = POOL_END - POOL_START + 1;
  const start = poolOffset(root);
  for (let block = 0; block < blocks; block += 1) {
    const second = POOL_START + ((start + block) % blocks);
    for (let third = 0; third < perBlock; third += 1) {
      const cidr = parseCidr(`10.${second}.${third}.0/${prefix}`);
      if (cidr !== undefined && !used.some((other) => overlaps(cidr, other))) return cidr;
    }
  }
  return fail('NETWORK_FAILED', {
    message: 'could not find free subnet from subnet pools: 10.90.0.0 to 10.255.255.255 are all in use',
    hint: 'Remove unused networks (network prune), or choose one with --subnet.',
  });
}

/** A random unique local IPv6 /64 (RFC 4193) that overlaps nothing in `used`. */
export function freeIpv6Subnet(used: readonly Cidr[]): Cidr {
  for (;;) {
    const groups = randomBytes(7).toString('hex');
    const text = `fd${groups.slice(0, 2)}:${groups.slice(2, 6)}:${groups.slice(6, 10)}:${groups.slice(10, 14)}::/64`;
    const cidr = parseCidr(text);
    if (cidr !== undefined && !used.some((other) => overlaps(cidr, other))) return cidr;
  }
}

/**
 * A subnet record from what the user gave: CIDR, gateway (default: the first address; none for an internal network
 * without DNS, which needs none) and range (a CIDR, or START-END). Fails with USAGE.
 */
export function makeSubnet(
  cidr: Cidr,
  options: { readonly gateway?: string | undefined; readonly range?: string | undefined },
  wantsGateway: boolean,
): Subnet {
  const subnet = formatCidr(cidr);
  const gateway = options.gateway ?? (wantsGateway ? formatFirst(cidr) : undefined);
  if (gateway !== undefined) {
    const address = parseAddress(gateway);
    if (address === undefined || !contains(cidr, address)) {
      fail('USAGE', { message: `gateway ${gateway} not in subnet ${subnet}` });
    }
  }
  const range = options.range === undefined ? undefined : leaseRange(cidr, options.range);
  return {
    subnet,
    ...(gateway === undefined ? {} : { gateway }),
    ...(range === undefined ? {} : { lease_range: range }),
  };
}

const formatFirst = (cidr: Cidr): string => formatAddress({ family: cidr.family, value: cidr.first + 1n });

function leaseRange(cidr: Cidr, text: string): { start_ip: string; end_ip: string } {
  const refuse = (): never =>
    fail('USAGE', { message: `ip range ${text} does not lie in subnet ${formatCidr(cidr)}` });
  const range = parseCidr(text);
  if (range !== undefined) {
    if (range.family !== cidr.family || range.first < cidr.first || range.last > cidr.last) refuse();
    const whole = range.first === cidr.first;
    const end = range.family === 4 && range.last === cidr.last ? range.last - 1n : range.last;
    const { family } = range;
    return {
      start_ip: formatAddress({ family, value: whole ? range.first + 1n : range.first }),
      end_ip: formatAddress({ family, value: end }),
    };
  }
  const [start, end] = text.split('-').map(parseAddress);
  if (start === undefined || end === undefined || text.split('-').length !== 2) return refuse();
  if (!contains(cidr, start) || !contains(cidr, end) || start.value > end.value) return refuse();
  return { start_ip: formatAddress(start), end_ip: formatAddress(end) };
}
