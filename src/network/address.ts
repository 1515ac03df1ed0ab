import { isIP, SocketAddress } from 'node:net';

export type Family = 4 | 6;

export interface Address {
  readonly family: Family;
  readonly value: bigint;
}

/** A subnet; `first` is its network address, `last` the highest address in it (IPv4: broadcast). */
export interface Cidr {
  readonly family: Family;
  readonly prefix: number;
  readonly first: bigint;
  readonly last: bigint;
}

const addressBits = (family: Family): number => (family === 4 ? 32 : 128);

/** Reads an IPv4 or IPv6 address (IPv4-mapped IPv6 stays IPv6; no zone). Undefined when it is none. */
export function parseAddress(text: string): Address | undefined {
  const family = isIP(text);
  if (family === 4) return { family, value: joinNumbers(text.split('.').map(Number), 8n) };
  if (family === 6 && !text.includes('%')) {
    return { family, value: joinNumbers(ipv6Groups(text), 16n) };
  }
  return undefined;
}

const joinNumbers = (numbers: readonly number[], bits: bigint): bigint =>
  numbers.reduce((value, number) => (value << bits) | BigInt(number), 0n);

/** The eight 16-bit groups of an address that {@link isIP} has accepted. */
function ipv6Groups(text: string): number[] {
  const hex = text.replace(/[^:]*\.[^:]*$/, (dotted) => {
    const value = joinNumbers(dotted.split('.').map(Number), 8n);
    return `${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
  });
  const [left = '', right] = hex.split('::');
  const groupsOf = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  if (right === undefined) return groupsOf(left);
  const [before, after] = [groupsOf(left), groupsOf(right)];
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}

/** The canonical text of an address: dotted for IPv4, RFC 5952 for IPv6. */
export function formatAddress({ family, value }: Address): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.');
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16),
  );
  return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address;
}

/** Reads ADDRESS/PREFIX; host bits may be set and are cleared. Undefined when it is no CIDR. */
export function parseCidr(text: string): Cidr | undefined {
  const [host = '', length = '', more] = text.split('/');
  const address = parseAddress(host);
  if (address === undefined || more !== undefined || !/^\d{1,3}$/.test(length)) return undefined;
  const prefix = Number(length);
  const bits = addressBits(address.family);
  if (prefix > bits) return undefined;
  const hostMask = (1n << BigInt(bits - prefix)) - 1n;
  const first = address.value & ~hostMask;
  return { family: address.family, prefix, first, last: first | hostMask };
}

export const formatCidr = (cidr: Cidr): string =>
  `${formatAddress({ family: cidr.family, value: cidr.first })}/${cidr.prefix}`;

export const contains = (cidr: Cidr, address: Address): boolean =>
  cidr.family === address.family && address.value >= cidr.first && address.value <= cidr.last;

export const overlaps = (a: Cidr, b: Cidr): boolean =>
  a.family === b.family && a.first <= b.last && b.first <= a.last;
