import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { IMAGE_MAGIC, readImage } from './images.ts';
import { required } from './protobuf.ts';

/** CRIU images/netdev.proto. */
const DEVICE = { type: required(1, 'uint32'), name: required(5, 'string') };
const LOOPBACK = 1;

/**
 * What iptables-save writes for tables without a rule: comments, tables, chains with their policies (iptables-save(8)). A
 * rule can name a library for iptables to load by a path of its own.
 */
const WITHOUT_RULES = /^(?:#.*|\*[a-z]+|:[A-Za-z0-9_-]+ (?:ACCEPT|DROP|-)(?: \[\d+:\d+\])?|COMMIT|)$/;

const isWithoutRules = (content: Buffer): boolean =>
  content
    .toString('latin1')
    .split('\n')
    .every((line) => WITHOUT_RULES.test(line));

/** After a number of four bytes, messages that begin with their length and kind (iproute2 save_route, netlink(7)). */
function holdsOnly(content: Buffer, kind: number): boolean {
  let at = 4;
  while (at + 16 <= content.length) {
    const length = content.readUInt32LE(at);
    if (length < 16 || content.readUInt16LE(at + 4) !== kind) return false;
    at += (length + 3) & ~3;
  }
  return content.length === 0 || at === content.length;
}

/** RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWRULE (rtnetlink(7)): what `ip` restores it sends to the kernel as it is. */
const ADDRESS = 20;
const ROUTE = 24;
const RULE = 32;

/** By the kind of image: it holds what every network has. */
const JUDGES: Readonly<Record<string, (content: Buffer) => boolean>> = {
  route: (content) => holdsOnly(content, ROUTE),
  route6: (content) => holdsOnly(content, ROUTE),
  ifaddr: (content) => holdsOnly(content, ADDRESS),
  rule: (content) => holdsOnly(content, RULE),
  iptables: isWithoutRules,
  ip6tables: isWithoutRules,
  nftables: (content) => content.length === 0,
};

/**
 * Network settings that CRIU would make in a namespace of the container's own, and for which it runs programs of the host
 * as root (CRIU criu/net.c restore_iptables, run_ip_tool): rules of a firewall, and what is no setting at all. The loopback
 * device, addresses and routes are of no concern. Names of images. Fails with IMAGE_INVALID.
 */
export async function riskyNetworkImages(directory: string, names: readonly string[]): Promise<string[]> {
  const risky: string[] = [];
  for (const name of names) {
    const [, kind = ''] = /^([a-z0-9]+)-\d+\.img$/.exec(name) ?? [];
    const path = join(directory, name);
    if (kind === 'netdev') {
      const devices = await readImage(path, IMAGE_MAGIC.netdev, DEVICE);
      if (devices.some(({ type, name: device }) => type !== LOOPBACK || device !== 'lo')) risky.push(name);
      continue;
    }
    if (kind in JUDGES && !(await isUsual(path, kind))) risky.push(name);
  }
  return risky;
}

/** Larger ones are not read, and no network has as many settings. */
const MAX_BYTES = 16 << 20;

async function isUsual(path: string, kind: string): Promise<boolean> {
  return (await stat(path)).size <= MAX_BYTES && JUDGES[kind]?.(await readFile(path)) === true;
}
