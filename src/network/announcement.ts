import { type Address, parseAddress } from './address.ts';

const ETHERTYPE_ARP = 0x0806;
const ETHERTYPE_IPV6 = 0x86dd;
const BROADCAST = Buffer.from('ffffffffffff', 'hex');
/** Shortest Ethernet frame without its checksum (IEEE 802.3); drivers of real links pad what is shorter. */
const SHORTEST = 60;

/**
 * The frame by which a host tells its segment that an address is at this MAC, so that neighbours renew what they know
 * and switches learn the port: an ARP announcement (RFC 5227, section 2.3), or an unsolicited neighbour advertisement to
 * all nodes (RFC 4861, section 7.2.6). Undefined where `ip` or `mac` is none.
 */
export function announcement(ip: string, mac: string): Buffer | undefined {
  const address = parseAddress(ip);
  const link = Buffer.from(mac.replaceAll(':', ''), 'hex');
  if (address === undefined || link.length !== 6) return undefined;
  return address.family === 4 ? arp(bytesOf(address, 4), link) : advertisement(bytesOf(address, 16), link);
}

const bytesOf = ({ value }: Address, length: 4 | 16): Buffer =>
  Buffer.from(value.toString(16).padStart(length * 2, '0'), 'hex');

const words = (...values: number[]): Buffer =>
  Buffer.from(values.flatMap((value) => [(value >> 8) & 0xff, value & 0xff]));

/** A request for the sender's own address: Ethernet, IPv4, lengths 6 and 4, operation 1 (RFC 826). */
function arp(ip: Buffer, mac: Buffer): Buffer {
  const packet = [words(1, 0x0800, 0x0604, 1), mac, ip, Buffer.alloc(6), ip];
  const frame = Buffer.concat([BROADCAST, mac, words(ETHERTYPE_ARP), ...packet]);
  return Buffer.concat([frame, Buffer.alloc(SHORTEST - frame.length)]);
}

/** ICMPv6 type 136 with the flag "override" and the option "target link-layer address", to ff02::1 (RFC 4861, 4.4). */
function advertisement(ip: Buffer, mac: Buffer): Buffer {
  const nodes = Buffer.from('ff020000000000000000000000000001', 'hex');
  const body = (checksum: number): Buffer =>
    Buffer.concat([words(136 << 8, checksum, 0x2000, 0), ip, Buffer.from([2, 1]), mac]);
  const length = body(0).length;
  // The pseudo header of RFC 8200, section 8.1: addresses, length, next header 58.
  const sum = checksum(Buffer.concat([ip, nodes, words(0, length, 0, 58), body(0)]));
  const header = Buffer.concat([words(0x6000, 0, length), Buffer.from([58, 255]), ip, nodes]);
  const target = Buffer.from('333300000001', 'hex');
  return Buffer.concat([target, mac, words(ETHERTYPE_IPV6), header, body(sum)]);
}

/** RFC 1071; the length is even. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
