import { createSocket } from 'node:dgram';
import { createServer, isIPv6 } from 'node:net';
import { errnoOf, fail } from '../model/errors.ts';
import type { PortMapping } from '../model/network.ts';

/** Attempts to find a run of free ports before giving up; each one starts at a port that the kernel proposes. */
const RANGE_ATTEMPTS = 64;
const HIGHEST_PORT = 65535;

/**
 * Gives every mapping with host port 0 a free host port (a run of them for a range). Others stay as they are. The ports
 * are free now; {@link reservePorts} keeps them. Fails with PORT_IN_USE.
 */
export async function resolvePorts(mappings: readonly PortMapping[]): Promise<PortMapping[]> {
  const resolved: PortMapping[] = [];
  for (const mapping of mappings) {
    resolved.push(
      mapping.hostPort === 0 ? { ...mapping, hostPort: await findRun(mapping, resolved) } : mapping,
    );
  }
  return resolved;
}

async function findRun(mapping: PortMapping, others: readonly PortMapping[]): Promise<number> {
  for (let attempt = 0; attempt < RANGE_ATTEMPTS; attempt += 1) {
    const start = await bindOnce(mapping.protocol, mapping.hostIp, 0);
    const candidate = { ...mapping, hostPort: start };
    if (start + mapping.range - 1 > HIGHEST_PORT || portsOverlap([candidate], others)) continue;
    if ((await firstTaken(candidate)) === undefined) return start;
  }
  return fail('PORT_IN_USE', {
    message: `failed to find an open port: no ${mapping.range} consecutive free ${mapping.protocol} ports`,
  });
}

/** Refuses mappings whose host port something on the host already uses. Fails with PORT_IN_USE, in podman's words. */
export async function checkPortsFree(mappings: readonly PortMapping[]): Promise<void> {
  for (const mapping of mappings) {
    const taken = await firstTaken(mapping);
    if (taken !== undefined) failPortInUse(mapping, taken);
  }
}

export function failPortInUse({ hostIp, protocol }: PortMapping, port: number): never {
  const host = isIPv6(hostIp) ? `[${hostIp}]` : hostIp;
  fail('PORT_IN_USE', {
    message: `cannot listen on the ${protocol.toUpperCase()} port: listen ${protocol} ${host}:${port}: bind: address already in use`,
    hint: `Publish another host port, or stop what uses ${port} (ss -ltnup shows it).`,
  });
}

async function firstTaken(mapping: PortMapping): Promise<number | undefined> {
  for (let i = 0; i < mapping.range; i += 1) {
    try {
      await bindOnce(mapping.protocol, mapping.hostIp, mapping.hostPort + i);
    } catch (error) {
      if (errnoOf(error) !== 'EADDRINUSE') failBind(mapping, errnoOf(error) ?? String(error));
      return mapping.hostPort + i;
    }
  }
  return undefined;
}

export function failBind({ hostIp, hostPort, protocol }: PortMapping, errno: string): never {
  fail('PORT_IN_USE', {
    message: `cannot bind ${protocol} port ${hostIp}:${hostPort}: ${errno}`,
    hint: errno === 'EADDRNOTAVAIL' ? `The host has no address ${hostIp}; publish on one it has.` : undefined,
  });
}

/** Binds a port for a moment and returns its number (the kernel's choice for 0). Throws the bind's error. */
function bindOnce(protocol: PortMapping['protocol'], hostIp: string, port: number): Promise<number> {
  // Node has no SCTP sockets; nothing else here uses them either.
  if (protocol === 'sctp') return Promise.resolve(port);
  return protocol === 'udp' ? bindUdp(hostIp, port) : bindTcp(hostIp, port);
}

function bindTcp(hostIp: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    // Without an address Node binds to :: and IPv4 together, and falls back to 0.0.0.0 where there is no IPv6.
    server.listen(hostIp === '' ? { port } : { port, host: hostIp }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port));
    });
  });
}

function bindUdp(hostIp: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(hostIp) ? 'udp6' : 'udp4');
    socket.once('error', reject);
    socket.bind(port, hostIp === '' ? '0.0.0.0' : hostIp, () => {
      const bound = socket.address().port;
      socket.close(() => resolve(bound));
    });
  });
}

/**
 * True when two sets of mappings want the same host port. Mappings of another container that is held have no process
 * that keeps the port: they are compared with this before the port is given away.
 */
export function portsOverlap(a: readonly PortMapping[], b: readonly PortMapping[]): boolean {
  return a.some((one) => b.some((other) => mappingsOverlap(one, other)));
}

function mappingsOverlap(a: PortMapping, b: PortMapping): boolean {
  const any = (ip: string): boolean => ip === '' || ip === '0.0.0.0' || ip === '::';
  return (
    a.protocol === b.protocol &&
    a.hostPort !== 0 &&
    b.hostPort !== 0 &&
    (a.hostIp === b.hostIp || any(a.hostIp) || any(b.hostIp)) &&
    a.hostPort < b.hostPort + b.range &&
    b.hostPort < a.hostPort + a.range
  );
}
