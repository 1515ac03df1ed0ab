import { closeSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { fail } from '../model/errors.ts';
import type { PortMapping } from '../model/network.ts';
import { parseAddress } from './address.ts';
import { failBind, failPortInUse } from './ports.ts';

/** Sockets bound to published host ports. */
export interface PortReservation {
  /** For the monitor to inherit: they keep the ports while the container runs. */
  readonly fds: readonly number[];
  /** Closes this process's copies. Idempotent. */
  readonly close: () => void;
}

// Linux, all architectures that Node runs on: sys/socket.h, netinet/in.h.
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

/**
 * Binds every published host port, without listening: nobody else on the host can take it, and a connection that the
 * port forwarding does not catch is refused. Packets for the container never reach these sockets. SCTP ports are not
 * reserved. Fails with PORT_IN_USE and holds nothing then.
 */
export async function reservePorts(mappings: readonly PortMapping[]): Promise<PortReservation> {
  const fds: number[] = [];
  const close = (): void => {
    for (const fd of fds.splice(0)) closeSync(fd);
  };
  if (mappings.length === 0) return { fds, close };
  const libc = await loadLibc();
  try {
    for (const mapping of mappings) {
      if (mapping.protocol === 'sctp') continue;
      for (let i = 0; i < mapping.range; i += 1) fds.push(bindPort(libc, mapping, mapping.hostPort + i));
    }
  } catch (error) {
    close();
    throw error;
  }
  return { fds, close };
}

type Libc = Awaited<ReturnType<typeof loadLibc>>;

async function loadLibc() {
  const { default: koffi } = await import('koffi');
  const lib = koffi.load('libc.so.6');
  return {
    socket: lib.func('int socket(int domain, int type, int protocol)'),
    setsockopt: lib.func('int setsockopt(int fd, int level, int name, const int *value, uint32_t length)'),
    bind: lib.func('int bind(int fd, const uint8_t *address, uint32_t length)'),
    errno: (): string => {
      const number = koffi.errno();
      return Object.entries(koffi.os.errno).find(([, value]) => value === number)?.[0] ?? `errno ${number}`;
    },
  };
}

function bindPort(libc: Libc, mapping: PortMapping, port: number): number {
  const type = (mapping.protocol === 'udp' ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC;
  // No address means all of both families; a host without IPv6 has only the one.
  let v6 = mapping.hostIp === '' || isIPv6(mapping.hostIp);
  let fd: number = libc.socket(v6 ? AF_INET6 : AF_INET, type, 0);
  if (fd < 0 && mapping.hostIp === '') {
    v6 = false;
    fd = libc.socket(AF_INET, type, 0);
  }
  if (fd < 0) return failBind(mapping, libc.errno());
  if (v6) libc.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, [mapping.hostIp === '' ? 0 : 1], 4);
  const address = socketAddress(v6, mapping.hostIp, port);
  if (libc.bind(fd, address, address.length) === 0) return fd;
  const errno = libc.errno();
  closeSync(fd);
  return errno === 'EADDRINUSE' ? failPortInUse(mapping, port) : failBind(mapping, errno);
}

/** struct sockaddr_in or sockaddr_in6: family in host order, port and address in network order. */
function socketAddress(v6: boolean, hostIp: string, port: number): Buffer {
  const bytes = Buffer.alloc(v6 ? 28 : 16);
  // A typed array has the byte order of the machine.
  bytes.set(new Uint8Array(new Uint16Array([v6 ? AF_INET6 : AF_INET]).buffer), 0);
  bytes.writeUInt16BE(port, 2);
  if (hostIp === '') return bytes;
  const address = parseAddress(hostIp) ?? fail('USAGE', { message: `invalid IP address: ${hostIp}` });
  const digits = address.value.toString(16).padStart(v6 ? 32 : 8, '0');
  bytes.write(digits, v6 ? 8 : 4, 'hex');
  return bytes;
}
