import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { type Cidr, parseCidr } from './address.ts';

/** Names of the network interfaces of this network namespace. */
export function hostLinks(): Set<string> {
  // /proc and not /sys: /proc/net follows the caller's namespace, a sysfs mount stays with the one it was mounted in.
  const lines = readFileSync('/proc/self/net/dev', 'utf8').split('\n').slice(2);
  return new Set(lines.map((line) => line.split(':')[0]?.trim() ?? '').filter((name) => name !== ''));
}

/** Subnets that the host's addresses and routes cover; default routes are left out. */
export function hostSubnets(): Cidr[] {
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .map(({ cidr }) => cidr ?? '');
  const cidrs = [...addresses, ...ipv4Routes(), ...ipv6Routes()].flatMap((text) => parseCidr(text) ?? []);
  return cidrs.filter(({ prefix }) => prefix > 0);
}

/** /proc/net/route: Destination and Mask in hexadecimal, least significant byte first (kernel net/ipv4/fib_trie.c). */
function ipv4Routes(): string[] {
  return readFileSync('/proc/self/net/route', 'utf8')
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const fields = line.split('\t');
      const [destination = '', mask = ''] = [fields[1], fields[7]];
      if (!/^[0-9A-F]{8}$/.test(destination)) return [];
      const octets = Buffer.from(destination, 'hex').reverse();
      const prefix = Number.parseInt(mask, 16).toString(2).replaceAll('0', '').length;
      return [`${octets.join('.')}/${prefix}`];
    });
}

/** /proc/net/ipv6_route: destination and prefix length in hexadecimal (kernel net/ipv6/route.c); absent without IPv6. */
function ipv6Routes(): string[] {
  let text: string;
  try {
    text = readFileSync('/proc/self/net/ipv6_route', 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').flatMap((line) => {
    const [destination = '', prefix = ''] = line.split(/\s+/);
    const groups = destination.match(/.{4}/g);
    // A multicast route is on every link and says nothing about subnets in use.
    if (groups === null || destination.startsWith('ff')) return [];
    return [`${groups.join(':')}/${Number.parseInt(prefix, 16)}`];
  });
}
