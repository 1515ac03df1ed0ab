import { isIP } from 'node:net';
import type { PortMapping } from '../../../model/network.ts';
import { inContext, quoted, refuse } from './usage.ts';

const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const;

interface Range {
  readonly first: number;
  readonly count: number;
}

function port(text: string): number {
  if (!/^[+-]?[0-9]+$/.test(text)) {
    refuse(`invalid port number: strconv.Atoi: parsing ${quoted(text)}: invalid syntax`);
  }
  const number = Number(text);
  if (number < 1 || number > 65535) {
    refuse(`port numbers must be between 1 and 65535 (inclusive), got ${text}`);
  }
  return number;
}

function range(text: string): Range {
  const [start = '', end, ...more] = text.split('-');
  if (more.length > 0) refuse('invalid port format - port ranges are formatted as startPort-stopPort');
  if (start === '') refuse('port numbers cannot be negative');
  const first = port(start);
  if (end === undefined) return { first, count: 1 };
  if (end === '') refuse('must provide ending number for port range');
  const last = port(end);
  if (last <= first) {
    refuse(
      `the end port of a range must be higher than the start port - ${last} is not higher than ${first}`,
    );
  }
  return { first, count: last - first + 1 };
}

interface Parts {
  readonly hostIp: string | undefined;
  readonly hostPort: string | undefined;
  readonly containerPort: string;
}

/** `[ip:][hostPort:]containerPort` with an IPv6 address in brackets. */
function split(text: string): Parts {
  const [bracket = '', behind, ...more] = text.split(']');
  if (more.length > 0) {
    refuse('invalid port format - at most one IPv6 address can be specified in a --publish');
  }
  if (behind !== undefined) {
    if (!bracket.startsWith('[')) refuse('invalid port format - IPv6 addresses must be enclosed by []');
    if (!behind.startsWith(':')) {
      refuse("invalid port format - IPv6 address must be followed by a colon (':')");
    }
  }
  const words = (behind === undefined ? text : behind.slice(1)).split(':');
  const [first = '', second, third] = words;
  if (behind !== undefined) {
    if (second === undefined) {
      return refuse('invalid port format - must provide host and destination port if specifying an IP');
    }
    if (words.length > 2) {
      refuse('invalid port format - when v6 address specified, must be [ipv6]:hostPort:ctrPort');
    }
    return { hostIp: bracket.slice(1), hostPort: first, containerPort: second };
  }
  if (words.length > 3) refuse('invalid port format - format is [[hostIP:]hostPort:]containerPort');
  if (second === undefined) return { hostIp: undefined, hostPort: undefined, containerPort: first };
  if (third === undefined) return { hostIp: undefined, hostPort: first, containerPort: second };
  return { hostIp: first, hostPort: second, containerPort: third };
}

/** 0 stands for any free port: no host port, an empty one, or `0`. */
function hostRange(text: string | undefined, count: number): number {
  if (text === undefined || text === '' || text === '0') return 0;
  const host = inContext('parsing host port', () => range(text));
  if (host.count !== count) {
    refuse(`host and container port ranges have different lengths: ${host.count} vs ${count}`);
  }
  return host.first;
}

const isProtocol = (text: string): text is PortMapping['protocol'] =>
  PROTOCOLS.some((known) => known === text);

/** One value of --publish: `[[hostip:][hostport[-end]]:]containerport[-end][/protocol]`. Throws USAGE. */
export function parsePort(text: string): PortMapping {
  const [address = '', protocol, ...more] = text.split('/');
  if (more.length > 0) refuse('invalid port format - protocol can only be specified once');
  const parts = split(address);
  if (parts.containerPort === '') refuse('must provide a non-empty container port to publish');
  if (parts.hostIp === '') refuse('must provide a non-empty container host IP to publish');
  if (protocol === '') refuse('must provide a non-empty protocol to publish');
  const container = inContext('parsing container port', () => range(parts.containerPort));
  const hostIp = parts.hostIp ?? '';
  if (hostIp !== '' && isIP(hostIp) === 0) refuse(`cannot parse ${quoted(hostIp)} as an IP address`);
  const name = (protocol ?? 'tcp').toLowerCase();
  if (!isProtocol(name)) return refuse(`unrecognized protocol ${quoted(name)} in port mapping`);
  const hostPort = hostRange(parts.hostPort, container.count);
  return { hostIp, containerPort: container.first, hostPort, range: container.count, protocol: name };
}

const isSame = (a: PortMapping, b: PortMapping): boolean =>
  a.hostIp === b.hostIp &&
  a.hostPort === b.hostPort &&
  a.containerPort === b.containerPort &&
  a.range === b.range;

const overlaps = (a: PortMapping, b: PortMapping): boolean =>
  (a.hostIp === b.hostIp || a.hostIp === '' || b.hostIp === '') &&
  a.hostPort < b.hostPort + b.range &&
  b.hostPort < a.hostPort + a.range;

/** All values of --publish; repeated ones count once, two that want one host port are refused. Throws USAGE. */
export function parsePorts(values: readonly string[]): PortMapping[] {
  const mappings: PortMapping[] = [];
  for (const mapping of values.map(parsePort)) {
    const rivals = mappings.filter(({ protocol }) => protocol === mapping.protocol);
    if (rivals.some((rival) => isSame(rival, mapping))) continue;
    if (mapping.hostPort !== 0 && rivals.some((rival) => rival.hostPort !== 0 && overlaps(rival, mapping))) {
      refuse(`conflicting port mappings for host port ${mapping.hostPort} (protocol ${mapping.protocol})`);
    }
    mappings.push(mapping);
  }
  return mappings;
}
