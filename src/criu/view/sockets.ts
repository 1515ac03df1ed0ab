import { type Descriptor, type FileEntry, type FileTable, unixName } from './file-entries.ts';

/** include/net/tcp_states.h of Linux; unix sockets use the same numbers. */
const STATES: readonly string[] = [
  '',
  'ESTABLISHED',
  'SYN_SENT',
  'SYN_RECEIVED',
  'FIN_WAIT_1',
  'FIN_WAIT_2',
  'TIME_WAIT',
  'CLOSE',
  'CLOSE_WAIT',
  'LAST_ACK',
  'LISTEN',
  'CLOSING',
  'NEW_SYN_RECV',
];

/** netinet/in.h IPPROTO_* */
const PROTOCOLS: Readonly<Record<number, string>> = {
  1: 'ICMP',
  6: 'TCP',
  17: 'UDP',
  58: 'ICMPV6',
  132: 'SCTP',
  136: 'UDPLITE',
  255: 'RAW',
};

/** socket(2) SOCK_* */
const TYPES: Readonly<Record<number, string>> = {
  1: 'STREAM',
  2: 'DGRAM',
  3: 'RAW',
  5: 'SEQPACKET',
  10: 'PACKET',
};

export interface OpenSocket {
  readonly fd: number;
  readonly family: 'INET' | 'INET6' | 'UNIX' | 'PACKET' | 'NETLINK';
  /** TCP, UDP …; the kind (STREAM, DGRAM) of others. */
  readonly protocol: string;
  readonly state: string;
  /** An address, or the name of a unix socket. */
  readonly source: string;
  readonly sourcePort: number;
  readonly peer: string;
  readonly peerPort: number;
  /** Bytes. */
  readonly sendBuffer: number;
  readonly receiveBuffer: number;
}

/** What a descriptor says as a socket; undefined for one that is none. */
export function describeSocket({ id, fd }: Descriptor, table: FileTable): OpenSocket | undefined {
  const entry = table.files.get(id);
  const options = (entry?.inet ?? entry?.unix ?? entry?.packet ?? entry?.netlink)?.options;
  if (entry === undefined || options === undefined) return undefined;
  return { fd, ...NOWHERE, ...ends(entry, table), ...options };
}

const NOWHERE = { state: '', source: '', sourcePort: 0, peer: '', peerPort: 0 };

type Ends = Pick<OpenSocket, 'family' | 'protocol'> & Partial<OpenSocket>;

function ends({ inet, unix, packet, netlink }: FileEntry, table: FileTable): Ends {
  if (inet !== undefined) {
    const source = address(inet.source);
    return {
      family: inet.source.length > 1 ? 'INET6' : 'INET',
      protocol: PROTOCOLS[inet.proto] ?? TYPES[inet.type] ?? String(inet.proto),
      state: STATES[inet.state] ?? '',
      source,
      sourcePort: inet.sourcePort,
      peer: address(inet.peer),
      peerPort: inet.peerPort,
    };
  }
  if (unix !== undefined) {
    return {
      family: 'UNIX',
      protocol: TYPES[unix.type] ?? String(unix.type),
      state: STATES[unix.state] ?? '',
      source: unixName(unix.name),
      peer: unix.peer === 0 ? '' : peerName(unix.peer, table),
    };
  }
  if (packet !== undefined) return { family: 'PACKET', protocol: TYPES[packet.type] ?? String(packet.type) };
  return {
    family: 'NETLINK',
    protocol: String(netlink?.protocol ?? ''),
    state: STATES[netlink?.state ?? 0] ?? '',
  };
}

/** The other end's name, or its inode number where it has none. */
const peerName = (inode: number, { unixNames }: FileTable): string => unixNames.get(inode) || `[${inode}]`;

/** Words as the kernel keeps addresses: network byte order read on a little-endian machine (CRIU sk-inet.proto). */
function address(words: readonly number[]): string {
  const bytes = words.flatMap((word) => [word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24]);
  if (words.length === 1) return bytes.join('.');
  if (words.length !== 4) return '';
  const groups = Array.from({ length: 8 }, (_, at) => ((bytes[2 * at] ?? 0) << 8) | (bytes[2 * at + 1] ?? 0));
  return shortest(groups.map((group) => group.toString(16)).join(':'));
}

/** The canonical form of an IPv6 address (RFC 5952), which the URL parser writes. */
const shortest = (text: string): string => new URL(`http://[${text}]/`).hostname.slice(1, -1);
