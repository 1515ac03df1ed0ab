import { join } from 'node:path';
import { errnoOf } from '../../model/errors.ts';
import { IMAGE_MAGIC, readImage } from '../images.ts';
import { type Message, optional, repeated, required } from '../protobuf.ts';

const SOCKET_OPTIONS = { sendBuffer: required(1, 'uint32'), receiveBuffer: required(2, 'uint32') };

/** CRIU images/fdinfo.proto file_entry: the kinds of open files, each with what its own .proto file has of interest. */
const FILE_ENTRY = {
  type: required(1, 'uint32'),
  id: required(2, 'uint32'),
  /** regfile.proto */
  reg: optional(3, {
    flags: required(2, 'uint32'),
    pos: required(3, 'uint64'),
    name: required(6, 'string'),
    size: optional(8, 'uint64'),
  }),
  /** sk-inet.proto */
  inet: optional(4, {
    family: required(3, 'uint32'),
    type: required(4, 'uint32'),
    proto: required(5, 'uint32'),
    state: required(6, 'uint32'),
    sourcePort: required(7, 'uint32'),
    peerPort: required(8, 'uint32'),
    backlog: required(10, 'uint32'),
    source: repeated(11, 'uint32'),
    peer: repeated(12, 'uint32'),
    options: required(14, SOCKET_OPTIONS),
  }),
  /** packet-sock.proto */
  packet: optional(5, {
    type: required(2, 'uint32'),
    protocol: required(3, 'uint32'),
    options: required(7, SOCKET_OPTIONS),
  }),
  /** sk-netlink.proto */
  netlink: optional(6, {
    protocol: required(3, 'uint32'),
    state: required(4, 'uint32'),
    options: required(12, SOCKET_OPTIONS),
  }),
  /** eventfd.proto */
  eventfd: optional(8, { counter: required(4, 'uint64') }),
  /** eventpoll.proto */
  eventpoll: optional(9, { watched: repeated(4, { fd: required(2, 'uint32') }) }),
  /** signalfd.proto */
  signalfd: optional(10, { mask: required(4, 'uint64') }),
  /** tun.proto */
  tun: optional(11, { netdev: optional(2, 'string') }),
  /** timerfd.proto */
  timerfd: optional(12, { clock: required(4, 'uint32') }),
  /** fsnotify.proto */
  inotify: optional(13, { watches: repeated(5, { mask: required(3, 'uint32') }) }),
  fanotify: optional(14, { marks: repeated(6, { mask: required(4, 'uint32') }) }),
  /** sk-unix.proto */
  unix: optional(16, {
    inode: required(2, 'uint32'),
    type: required(3, 'uint32'),
    state: required(4, 'uint32'),
    peer: required(8, 'uint32'),
    options: required(10, SOCKET_OPTIONS),
    name: required(11, 'bytes'),
  }),
  /** fifo.proto */
  fifo: optional(17, { pipe: required(2, 'uint32'), file: optional(3, 'uint32') }),
  /** pipe.proto */
  pipe: optional(18, { pipe: required(2, 'uint32'), flags: required(3, 'uint32') }),
  /** tty.proto */
  tty: optional(19, {
    terminal: required(2, 'uint32'),
    flags: required(3, 'uint32'),
    file: optional(6, 'uint32'),
  }),
  /** memfd.proto */
  memfd: optional(20, {
    flags: required(2, 'uint32'),
    pos: required(3, 'uint64'),
    inode: required(5, 'uint32'),
  }),
  /** bpfmap-file.proto */
  bpf: optional(21, { name: required(13, 'string') }),
  /** pidfd.proto */
  pidfd: optional(22, { pid: required(4, 'int32') }),
};

/** fdinfo.proto fdinfo_entry. */
const DESCRIPTOR = {
  id: required(1, 'uint32'),
  flags: required(2, 'uint32'),
  type: required(3, 'uint32'),
  fd: required(4, 'uint32'),
};

/** fs.proto */
const FS = { cwd: required(1, 'uint32'), root: required(2, 'uint32'), umask: optional(3, 'uint32') };

/** memfd.proto memfd_inode_entry. */
const MEMFD_INODE = { name: required(1, 'string'), inode: required(7, 'uint64') };

export type FileEntry = Message<typeof FILE_ENTRY>;
export type Descriptor = Message<typeof DESCRIPTOR>;

/** Everything that any process has open. */
export interface FileTable {
  /** By the ID that descriptors and mappings refer to. */
  readonly files: ReadonlyMap<number, FileEntry>;
  /** Names of memory files by their inode number. */
  readonly memoryFiles: ReadonlyMap<number, string>;
  /** Names of unix sockets by their inode number; empty for those without. */
  readonly unixNames: ReadonlyMap<number, string>;
}

/** files.img and memfd.img; CRIU before 3.4 had an image for each kind, of which nothing is shown. Fails with IMAGE_INVALID. */
export async function readFileTable(directory: string): Promise<FileTable> {
  const files = await orNone(readImage(join(directory, 'files.img'), IMAGE_MAGIC.files, FILE_ENTRY));
  const inodes = await orNone(readImage(join(directory, 'memfd.img'), IMAGE_MAGIC.memfd, MEMFD_INODE));
  return {
    files: new Map(files.map((entry) => [entry.id, entry])),
    memoryFiles: new Map(inodes.map(({ inode, name }) => [Number(inode), name])),
    unixNames: new Map(
      files.flatMap(({ unix }) => (unix === undefined ? [] : [[unix.inode, unixName(unix.name)]])),
    ),
  };
}

/** An abstract name begins with a NUL byte, which is shown as `@`, as ss and lsof do; the terminator is not. */
export const unixName = (name: Uint8Array): string =>
  Buffer.from(name).toString('utf8').replace(/^\0/, '@').replace(/\0+$/, '');

/** fdinfo-N.img: the descriptors of all processes that share this table. Fails with IMAGE_INVALID. */
export const readDescriptors = (directory: string, filesId: number): Promise<Descriptor[]> =>
  orNone(readImage(join(directory, `fdinfo-${filesId}.img`), IMAGE_MAGIC.fdinfo, DESCRIPTOR));

/** IDs of a process's working and root directory, in files.img. Fails with IMAGE_INVALID. */
export async function readDirectories(
  directory: string,
  pid: number,
): Promise<{ readonly cwd: number; readonly root: number } | undefined> {
  const [fs] = await orNone(readImage(join(directory, `fs-${pid}.img`), IMAGE_MAGIC.fs, FS, 4096));
  return fs;
}

async function orNone<T>(reading: Promise<T[]>): Promise<T[]> {
  try {
    return await reading;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
