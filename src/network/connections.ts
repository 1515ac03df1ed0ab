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
 * The connected TCP sockets that the processes below `initPid` hold, within its network namespace; connections over lo
 * are among them, since CRIU treats them alike. Sockets without a process (closing by themselves) are left out, as CRIU
 * does not see them. Cheap where there is none: two small files are read.
 */
export function establishedConnections(initPid: number): TcpConnection[] {
  const sockets = new Map<string, Omit<TcpConnection, 'pid' | 'process'>>();
  for (const file of ['tcp', 'tcp6']) {
    for (const { inode, ...socket } of connectedSockets(readIfThere(`/proc/${initPid}/net/${file}`))) {
      sockets.set(`socket:[${inode}]`, socket);
    }
  }
  if (sockets.size === 0) return [];
  const found: TcpConnection[] = [];
  for (const { pid, name } of processTree(initPid)) {
    for (const link of openFiles(pid)) {
      const socket = sockets.get(link);
      if (socket === undefined) continue;
      found.push({ ...socket, pid, process: name });
      // Shared by several processes or descriptors: the first one names it.
      sockets.delete(link);
    }
  }
  return found;
}

/** Lines of /proc/net/tcp and tcp6 (proc_net_tcp.rst) in a connected state and with an inode. */
function* connectedSockets(text: string) {
  for (const line of text.split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    const state = CONNECTED_STATES[fields[3] ?? ''];
    const inode = fields[9] ?? '0';
    if (state === undefined || inode === '0') continue;
    yield { local: readEndpoint(fields[1] ?? ''), remote: readEndpoint(fields[2] ?? ''), state, inode };
  }
}

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
function openFiles(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
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
