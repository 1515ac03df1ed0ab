import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { errnoOf } from '../model/errors.ts';
import { processTree } from '../system/procfs.ts';
import { formatAddress } from './address.ts';

/** A connected TCP socket of a container. */
export interface TcpConnection {
  /** ADDRESS:PORT, IPv6 in brackets, as ss(8) writes them. */
  readonly local: string;
  readonly remote: string;
  /** Name in the kernel: ESTABLISHED, CLOSE_WAIT … */
  readonly state: string;
  readonly pid: number;
  readonly process: string;
}

/** A TCP connection of a container that none of its processes holds. */
export interface LooseConnection {
  readonly local: string;
  readonly remote: string;
  /** As in {@link TcpConnection}, or SYN_RECV. */
  readonly state: string;
  /** Bytes that were sent, or are to be, and that the other end has not acknowledged; its FIN counts as one. */
  readonly unacknowledged: number;
}

/** States that CRIU refuses without --tcp-established (criu/sk-inet.c, can_dump_inet_sk); numbers: net/tcp_states.h. */
const CONNECTED_STATES: Readonly<Record<string, string>> = {
  '01': 'ESTABLISHED',
  '02': 'SYN_SENT',
  '04': 'FIN_WAIT1',
  '05': 'FIN_WAIT2',
  '08': 'CLOSE_WAIT',
  '09': 'LAST_ACK',
  '0B': 'CLOSING',
};

/**
 * States in which the kernel alone holds a connection that the other end still counts on: being opened, not accepted yet,
 * or closed with something unacknowledged. After FIN_WAIT2 and TIME_WAIT nothing is lost: all that was sent has come, and
 * what comes from a closed connection's other end is refused in any case.
 */
const LOOSE_STATES: Readonly<Record<string, string>> = {
  '01': 'ESTABLISHED',
  '03': 'SYN_RECV',
  '04': 'FIN_WAIT1',
  '08': 'CLOSE_WAIT',
  '09': 'LAST_ACK',
  '0B': 'CLOSING',
};

/**
 * The connected TCP sockets that the processes below `initPid` hold, within its network namespace; connections over lo
 * are among them, since CRIU treats them alike. Sockets without a process (closing by themselves) are left out, as CRIU
 * does not see them. Cheap where there is none: two small files are read.
 */
export const establishedConnections = (initPid: number): TcpConnection[] =>
  heldConnections(initPid).map(({ fd: _, ...connection }) => connection);

/** The same with the descriptor by which the process holds each. */
export function heldConnections(initPid: number): (TcpConnection & { readonly fd: number })[] {
  const sockets = new Map<string, Omit<TcpConnection, 'pid' | 'process'>>();
  for (const { inode, stateNumber, ends } of tcpSockets(initPid)) {
    const state = CONNECTED_STATES[stateNumber];
    if (state !== undefined && inode !== '0') sockets.set(`socket:[${inode}]`, { ...endsOf(ends), state });
  }
  if (sockets.size === 0) return [];
  const found: (TcpConnection & { readonly fd: number })[] = [];
  for (const { pid, name } of processTree(initPid)) {
    for (const { fd, link } of openFiles(pid)) {
      const socket = sockets.get(link);
      if (socket === undefined) continue;
      found.push({ ...socket, pid, process: name, fd });
      // Shared by several processes or descriptors: the first one names it.
      sockets.delete(link);
    }
  }
  return found;
}

/**
 * The TCP connections in the network namespace of a process that are in none's hands: still being opened, not accepted yet,
 * or closed with something on the way. CRIU does not see them. Cheap where there is none: two small files are read.
 */
export const looseConnections = (pid: number): LooseConnection[] =>
  tcpSockets(pid).flatMap(({ inode, stateNumber, ends, unacknowledged }) => {
    const state = LOOSE_STATES[stateNumber];
    return state === undefined || inode !== '0' ? [] : [{ ...endsOf(ends), state, unacknowledged }];
  });

/** True where a process has a connected TCP socket in the network namespace of the process. As cheap. */
export const hasConnections = (pid: number): boolean =>
  tcpSockets(pid).some(({ inode, stateNumber }) => inode !== '0' && stateNumber in CONNECTED_STATES);

interface SocketLine {
  readonly stateNumber: string;
  /** 0 where no process holds it. */
  readonly inode: string;
  readonly unacknowledged: number;
  /** As they stand there. */
  readonly ends: readonly [local: string, remote: string];
}

/** Lines of /proc/PID/net/tcp and tcp6 (Linux Documentation/networking/proc_net_tcp.rst; net/ipv4/tcp_ipv4.c, tcp4_seq_show). */
const tcpSockets = (pid: number): SocketLine[] =>
  ['tcp', 'tcp6'].flatMap((file) =>
    readIfThere(`/proc/${pid}/net/${file}`)
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .map(([, local = '', remote = '', stateNumber = '', queues = '', , , , , inode = '0']) => ({
        stateNumber,
        inode,
        unacknowledged: Number.parseInt(queues, 16),
        ends: [local, remote],
      })),
  );

const endsOf = ([local, remote]: SocketLine['ends']): {
  readonly local: string;
  readonly remote: string;
} => ({
  local: readEndpoint(local),
  remote: readEndpoint(remote),
});

/** ADDRESS:PORT in hexadecimal; the address is in 32-bit words, each with the machine's byte order. */
function readEndpoint(text: string): string {
  const [hex = '', port = ''] = text.split(':');
  const words = (hex.match(/.{8}/g) ?? []).map((word) => Buffer.from(word, 'hex').reverse().toString('hex'));
  const value = BigInt(`0x${words.join('') || '0'}`);
  const number = Number.parseInt(port, 16);
  if (words.length === 1) return `${formatAddress({ family: 4, value })}:${number}`;
  // An IPv4 connection of a socket for both families.
  if (value >> 32n === 0xffffn)
    return `${formatAddress({ family: 4, value: value & 0xffffffffn })}:${number}`;
  return `[${formatAddress({ family: 6, value })}]:${number}`;
}

const vanished = (error: unknown): boolean => ['ENOENT', 'ESRCH'].includes(errnoOf(error) ?? '');

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (vanished(error)) return '';
    throw error;
  }
}

/** What the descriptors of a process point to; nothing when it ends meanwhile. */
function openFiles(pid: number): { readonly fd: number; readonly link: string }[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [{ fd: Number(fd), link: readlinkSync(`/proc/${pid}/fd/${fd}`) }];
      } catch (error) {
        if (vanished(error)) return [];
        throw error;
      }
    });
  } catch (error) {
    if (vanished(error)) return [];
    throw error;
  }
}
