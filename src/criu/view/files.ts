import { type Descriptor, type FileEntry, type FileTable, unixName } from './file-entries.ts';

/** fd_types of CRIU images/fdinfo.proto. */
const TYPES: readonly string[] = [
  'UND',
  'REG',
  'PIPE',
  'FIFO',
  'INETSK',
  'UNIXSK',
  'EVENTFD',
  'EVENTPOLL',
  'INOTIFY',
  'SIGNALFD',
  'PACKETSK',
  'TTY',
  'FANOTIFY',
  'NETLINKSK',
  'NS',
  'TUNF',
  'EXT',
  'TIMERFD',
  'MEMFD',
  'BPFMAP',
  'PIDFD',
];

/** open(2): the part of the flags that says read or write. */
const ACCESS_MASK = 3;
const ACCESS: readonly string[] = ['r', 'w', 'rw'];

export interface OpenFile {
  readonly fd: number;
  /** CRIU's name of the kind: REG, PIPE, INETSK … */
  readonly type: string;
  /** A path; `pipe[N]` and `unix[INODE (PEER) NAME]` as checkpointctl writes them; for other kinds what is known of them. */
  readonly path: string;
  /** `r`, `w`, `rw`; empty where the kind has none. */
  readonly access: string;
  /** Bytes; undefined for what has no position. */
  readonly position: number | undefined;
  readonly closeOnExec: boolean;
}

/** What a descriptor stands for. */
export function describeFile(descriptor: Descriptor, table: FileTable): OpenFile {
  const entry = table.files.get(descriptor.id);
  const file = entry?.reg ?? entry?.memfd;
  const flags = (file ?? entry?.pipe ?? entry?.tty)?.flags;
  return {
    fd: descriptor.fd,
    type: TYPES[descriptor.type] ?? String(descriptor.type),
    path: pathOf(descriptor, entry, table),
    access: flags === undefined ? '' : (ACCESS[flags & ACCESS_MASK] ?? ''),
    position: file === undefined ? undefined : Number(file.pos),
    closeOnExec: (descriptor.flags & 1) !== 0,
  };
}

/** The path of a regular file or directory; undefined where the images do not tell. */
export const filePath = (table: FileTable, id: number): string | undefined => table.files.get(id)?.reg?.name;

function pathOf(descriptor: Descriptor, entry: FileEntry | undefined, table: FileTable): string {
  const unknown = `${TYPES[descriptor.type] ?? 'UND'}.${descriptor.id}`;
  if (entry === undefined) return unknown;
  const { reg, pipe, fifo, unix, tty, memfd } = entry;
  const backing = fifo?.file ?? tty?.file;
  if (reg !== undefined) return reg.name;
  if (pipe !== undefined) return `pipe[${pipe.pipe}]`;
  if (unix !== undefined) return `unix[${unix.inode} (${unix.peer}) ${unixName(unix.name)}]`;
  if (backing !== undefined) return filePath(table, backing) ?? unknown;
  if (memfd !== undefined) return `memfd:${table.memoryFiles.get(memfd.inode) ?? ''}`;
  return detailOf(entry) ?? unknown;
}

const list = (numbers: readonly number[]): string => [...new Set(numbers)].join(', ');

function detailOf(entry: FileEntry): string | undefined {
  const { inet, eventfd, eventpoll, signalfd, timerfd, inotify, fanotify, netlink, packet } = entry;
  if (inet !== undefined) return `socket[${entry.id}]`;
  if (netlink !== undefined) return `netlink[${netlink.protocol}]`;
  if (packet !== undefined) return `packet[${packet.protocol}]`;
  if (eventfd !== undefined) return `eventfd, counter ${eventfd.counter}`;
  if (eventpoll !== undefined)
    return `epoll, watches ${list(eventpoll.watched.map(({ fd }) => fd)) || 'nothing'}`;
  if (signalfd !== undefined) return `signalfd, signals ${list(signalNumbers(signalfd.mask)) || 'none'}`;
  if (timerfd !== undefined) return `timerfd, clock ${timerfd.clock}`;
  if (inotify !== undefined) return `inotify, ${inotify.watches.length} watches`;
  if (fanotify !== undefined) return `fanotify, ${fanotify.marks.length} marks`;
  if (entry.tun !== undefined) return `tun ${entry.tun.netdev ?? ''}`.trim();
  if (entry.bpf !== undefined) return `bpf map ${entry.bpf.name}`;
  if (entry.pidfd !== undefined) return `pidfd of ${entry.pidfd.pid}`;
  return undefined;
}

/** Bit 0 of a signal mask is signal 1 (signal(7)). */
const signalNumbers = (mask: bigint): number[] =>
  Array.from({ length: 64 }, (_, bit) => bit)
    .filter((bit) => ((mask >> BigInt(bit)) & 1n) === 1n)
    .map((bit) => bit + 1);
