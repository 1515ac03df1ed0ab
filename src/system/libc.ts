import { closeSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import type { LibraryHandle } from 'koffi';
import { CryopodError, messageOf } from '../model/errors.ts';

/** A pipe between two child programs; both ends are closed in other children (O_CLOEXEC). */
export interface Pipe {
  readonly read: number;
  readonly write: number;
}

export const O_CLOEXEC = 0o2000000;
/** socket(2); the flag to close it in children is O_CLOEXEC. */
export const AF_UNIX = 1;
export const SOCK_STREAM = 1;
const S_IFCHR = 0o020000;
const S_IFIFO = 0o010000;
/** fcntl(2). */
const F_SETFL = 4;
const F_SETPIPE_SZ = 1031;
/** Numbers of system calls that are the same on all machines (asm-generic/unistd.h). */
const PIDFD_OPEN = 434;
const PIDFD_GETFD = 438;
/** openat(2): relative paths mean what they mean for open(2); utimensat(2): of a symbolic link itself. */
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
/** poll(2); error and hang-up are reported unasked. */
const POLLIN = 1;
/** splice(2). */
const SPLICE_F_MOVE = 1;
const SPLICE_F_NONBLOCK = 2;

/** What this module's neighbours call. Buffers are passed as they lie in memory, both ways. */
export interface Libc {
  readonly pipe2: (fds: Int32Array, flags: number) => number;
  readonly socketpair: (domain: number, type: number, protocol: number, fds: Int32Array) => number;
  readonly lsetxattr: (
    path: string | Buffer,
    name: string,
    value: Buffer,
    size: number,
    flags: number,
  ) => number;
  readonly lgetxattr: (path: Buffer, name: string, value: Buffer, size: number) => number;
  readonly llistxattr: (path: Buffer, list: Buffer, size: number) => number;
  readonly lremovexattr: (path: Buffer, name: string) => number;
  readonly utimensat: (directory: number, path: Buffer, times: Buffer, flags: number) => number;
  readonly mknod: (path: string | Buffer, mode: number, device: number) => number;
  readonly fcntl: (fd: number, command: number, type: 'int', argument: number) => number;
  readonly syscall: (
    number: number,
    a: 'int',
    first: number,
    b: 'int',
    second: number,
    c: 'int',
    third: number,
  ) => number;
  readonly ioctl: (fd: number, request: number, argument: Buffer) => number;
  readonly socket: (domain: number, type: number, protocol: number) => number;
  readonly bind: (fd: number, address: Buffer, size: number) => number;
  readonly listen: (fd: number, backlog: number) => number;
  readonly accept4: (fd: number, address: null, size: null, flags: number) => number;
  readonly sendmsg: (fd: number, message: Buffer, flags: number) => number;
  readonly recvmsg: (fd: number, message: Buffer, flags: number) => number;
  readonly setsockopt: (fd: number, level: number, name: number, value: Buffer, size: number) => number;
  /** Copies nothing where `size` is 0, and gives the address of `to`. */
  readonly memcpy: (to: Buffer, from: Buffer, size: number) => number | bigint;
  readonly poll: Poll;
  readonly splice: Splice;
  readonly errno: () => number;
}

interface Poll {
  (fds: Buffer, count: number, milliseconds: number): number;
  /** In a thread of libuv's pool. */
  readonly async: (
    fds: Buffer,
    count: number,
    milliseconds: number,
    done: (error: Error | null, result: number) => void,
  ) => void;
}

interface Splice {
  (from: number, fromAt: null, to: number, toAt: null, length: number, flags: number): number;
  /** In a thread of libuv's pool, whose errno is not to be had. */
  readonly async: (
    from: number,
    fromAt: null,
    to: number,
    toAt: null,
    length: number,
    flags: number,
    done: (error: Error | null, moved: number) => void,
  ) => void;
}

let loaded: Promise<Libc> | undefined;

/** The few calls that Node lacks. Loaded at first use, since koffi costs about 15 ms. */
export function libc(): Promise<Libc> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<Libc> {
  try {
    const { default: koffi } = await import('koffi');
    const library: LibraryHandle = koffi.load('libc.so.6');
    return {
      pipe2: library.func('int pipe2(_Out_ int *fds, int flags)'),
      socketpair: library.func('int socketpair(int domain, int type, int protocol, _Out_ int *fds)'),
      lsetxattr: library.func(
        'int lsetxattr(const char *path, const char *name, const uint8_t *value, size_t size, int flags)',
      ),
      lgetxattr: library.func(
        'long lgetxattr(const char *path, const char *name, _Out_ uint8_t *value, size_t size)',
      ),
      llistxattr: library.func('long llistxattr(const char *path, _Out_ uint8_t *list, size_t size)'),
      lremovexattr: library.func('int lremovexattr(const char *path, const char *name)'),
      utimensat: library.func(
        'int utimensat(int directory, const char *path, const uint8_t *times, int flags)',
      ),
      mknod: library.func('int mknod(const char *path, unsigned int mode, unsigned long device)'),
      syscall: library.func('long syscall(long number, ...)'),
      fcntl: library.func('int fcntl(int fd, int command, ...)'),
      ioctl: library.func('int ioctl(int fd, unsigned long request, void *argument)'),
      socket: library.func('int socket(int domain, int type, int protocol)'),
      bind: library.func('int bind(int fd, void *address, unsigned int size)'),
      listen: library.func('int listen(int fd, int backlog)'),
      accept4: library.func('int accept4(int fd, void *address, void *size, int flags)'),
      sendmsg: library.func('long sendmsg(int fd, void *message, int flags)'),
      recvmsg: library.func('long recvmsg(int fd, void *message, int flags)'),
      setsockopt: library.func('int setsockopt(int fd, int level, int name, void *value, unsigned int size)'),
      memcpy: library.func('uintptr_t memcpy(void *to, void *from, size_t size)'),
      poll: library.func('int poll(_Inout_ uint8_t *fds, unsigned long count, int milliseconds)') as Poll,
      splice: library.func(
        'long splice(int from, void *fromAt, int to, void *toAt, size_t length, unsigned int flags)',
      ) as unknown as Splice,
      errno: () => koffi.errno(),
    };
  } catch (error) {
    throw new CryopodError('PROGRAM_MISSING', {
      message: `could not load the C library: ${messageOf(error)}`,
      hint: 'cryopod needs the GNU C library 2.33 or newer and its npm package koffi.',
      cause: error,
    });
  }
}

/** Throws as Node's own system calls do: `code` is the errno's name. */
export function check(result: number, calls: Libc, doing: string): void {
  if (result !== -1) return;
  const code = getSystemErrorName(-calls.errno());
  throw Object.assign(new Error(`${code}: ${doing}`), { code });
}

/** A new pipe. The caller closes both ends once the children that use them have been started. */
export async function makePipe(): Promise<Pipe> {
  const calls = await libc();
  const fds = new Int32Array(2);
  check(calls.pipe2(fds, O_CLOEXEC), calls, 'pipe2');
  return { read: fds[0] ?? -1, write: fds[1] ?? -1 };
}

/** Two stream sockets that are connected to each other and to nothing else, O_CLOEXEC; the caller closes both. */
export async function makeSocketPair(): Promise<readonly [number, number]> {
  const calls = await libc();
  const fds = new Int32Array(2);
  check(calls.socketpair(AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0, fds), calls, 'socketpair');
  return [fds[0] ?? -1, fds[1] ?? -1];
}

/**
 * Asks for a pipe or FIFO that holds `bytes`, so that both sides work in long stretches. Without CAP_SYS_RESOURCE
 * /proc/sys/fs/pipe-max-size limits it; what is not granted stays as it was. Returns whether it was granted.
 */
export async function enlargePipe(fd: number, bytes: number): Promise<boolean> {
  const calls = await libc();
  return calls.fcntl(fd, F_SETPIPE_SZ, 'int', bytes) !== -1;
}

/**
 * Moves what is there, at most `bytes`, from one descriptor to another without a copy through this process; one of them must
 * be a pipe (splice(2)). Waits for data and for room in a thread. Gives the bytes moved, 0 at the end. Throws EPIPE where
 * nobody reads any more, ENOSPC.
 */
export async function moveBytes(from: number, to: number, bytes: number): Promise<number> {
  const calls = await libc();
  for (;;) {
    const moved = await new Promise<number>((resolve, reject) => {
      calls.splice.async(from, null, to, null, bytes, SPLICE_F_MOVE, (error, result) =>
        error === null ? resolve(result) : reject(error),
      );
    });
    if (moved >= 0) return moved;
    // The thread's errno is lost: what failed there fails here again, or goes on.
    const again = calls.splice(from, null, to, null, bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (again >= 0) return again;
    if (getSystemErrorName(-calls.errno()) !== 'EAGAIN') check(again, calls, 'splice');
  }
}

/** Sets an extended attribute of `path` itself (a symbolic link is not followed). */
export async function setXattr(path: string, name: string, value: string): Promise<void> {
  const calls = await libc();
  const bytes = Buffer.from(value);
  check(calls.lsetxattr(path, name, bytes, bytes.length, 0), calls, `set ${name} of ${path}`);
}

/** Longest value of an extended attribute (XATTR_SIZE_MAX of linux/limits.h). */
const MAX_XATTR = 65536;

/**
 * A reader of extended attributes, so that one that visits many files waits for the library once. The reader returns
 * undefined where `path` itself (a symbolic link is not followed) has no such attribute. Paths are bytes, since they
 * need not be UTF-8.
 */
export async function xattrReader(): Promise<(path: Buffer, name: string) => Buffer | undefined> {
  const calls = await libc();
  const value = Buffer.alloc(MAX_XATTR);
  return (path, name) => {
    const size = calls.lgetxattr(terminated(path), name, value, value.length);
    if (size !== -1) return Buffer.from(value.subarray(0, size));
    const errno = getSystemErrorName(-calls.errno());
    if (errno !== 'ENODATA' && errno !== 'ENOTSUP') check(size, calls, `read ${name} of ${path}`);
    return undefined;
  };
}

/**
 * Gives all extended attributes of `path` itself, names and values, as bytes to compare; empty where it has none. Loaded
 * once, as {@link xattrReader}.
 */
export async function xattrLister(): Promise<(path: Buffer) => Buffer> {
  const list = await xattrNames();
  const readXattr = await xattrReader();
  return (path) =>
    Buffer.concat(
      list(path).flatMap((name) => [Buffer.from(`${name}\0`), readXattr(path, name) ?? Buffer.alloc(0)]),
    );
}

/** Gives the names of all extended attributes of `path` itself, sorted. Loaded once, as {@link xattrReader}. */
async function xattrNames(): Promise<(path: Buffer) => string[]> {
  const calls = await libc();
  const list = Buffer.alloc(MAX_XATTR);
  return (path) => {
    const size = calls.llistxattr(terminated(path), list, list.length);
    if (size === -1) {
      const errno = getSystemErrorName(-calls.errno());
      if (errno !== 'ENOTSUP') check(size, calls, `list the attributes of ${path}`);
      return [];
    }
    const names = list.toString('utf8', 0, Math.max(size - 1, 0)).split('\0');
    return names.filter((name) => name !== '').sort();
  };
}

const terminated = (path: Buffer): Buffer => Buffer.concat([path, Buffer.from([0])]);

/** Extended attributes and times of one file, for another one. */
export interface AttributeCopier {
  /** Gives `to` the extended attributes of `from`, and only those. Neither follows a symbolic link. */
  readonly copyXattrs: (from: Buffer, to: Buffer) => void;
  /** Sets the times of `path` itself, in nanoseconds since 1970, which Node's calls round. */
  readonly setTimes: (path: Buffer, atime: bigint, mtime: bigint) => void;
}

/** Loaded once, as {@link xattrReader}. Its functions throw as Node's system calls do. */
export async function attributeCopier(): Promise<AttributeCopier> {
  const calls = await libc();
  const list = await xattrNames();
  const readXattr = await xattrReader();
  return {
    copyXattrs: (from, to) => {
      const wanted = list(from);
      for (const name of list(to).filter((one) => !wanted.includes(one))) {
        check(calls.lremovexattr(terminated(to), name), calls, `remove ${name} of ${to}`);
      }
      for (const name of wanted) {
        const value = readXattr(from, name) ?? Buffer.alloc(0);
        check(calls.lsetxattr(terminated(to), name, value, value.length, 0), calls, `set ${name} of ${to}`);
      }
    },
    setTimes: (path, atime, mtime) => {
      const times = Buffer.alloc(32);
      for (const [i, time] of [atime, mtime].entries()) {
        const seconds = time / 10n ** 9n - (time % 10n ** 9n < 0n ? 1n : 0n);
        times.writeBigInt64LE(seconds, i * 16);
        times.writeBigInt64LE(time - seconds * 10n ** 9n, i * 16 + 8);
      }
      check(calls.utimensat(AT_FDCWD, terminated(path), times, AT_SYMLINK_NOFOLLOW), calls, `touch ${path}`);
    },
  };
}

/** Makes the character device 0/0, which overlayfs takes for "deleted here". Throws EEXIST. */
export async function makeWhiteout(path: Buffer): Promise<void> {
  const calls = await libc();
  check(calls.mknod(terminated(path), S_IFCHR, 0), calls, `make the whiteout ${path}`);
}

/** Makes a FIFO that only its owner may open. Throws EEXIST. */
export async function makeFifo(path: string): Promise<void> {
  const calls = await libc();
  check(calls.mknod(path, S_IFIFO | 0o600, 0), calls, `make the FIFO ${path}`);
}

/** Reads from `fd` wait for data again, though it was opened with O_NONBLOCK. */
export async function makeBlocking(fd: number): Promise<void> {
  const calls = await libc();
  check(calls.fcntl(fd, F_SETFL, 'int', 0), calls, 'fcntl F_SETFL');
}

/** A copy of another process's open descriptor (pidfd_getfd(2)); the caller closes it. Throws EBADF, ESRCH, EPERM. */
export async function takeDescriptor(pid: number, fd: number): Promise<number> {
  const calls = await libc();
  const process = calls.syscall(PIDFD_OPEN, 'int', pid, 'int', 0, 'int', 0);
  check(process, calls, `pidfd_open of ${pid}`);
  try {
    const copy = calls.syscall(PIDFD_GETFD, 'int', process, 'int', fd, 'int', 0);
    check(copy, calls, `pidfd_getfd of ${fd} of process ${pid}`);
    return copy;
  } finally {
    closeSync(process);
  }
}

/** What can be told of a FIFO that was opened for reading with O_NONBLOCK before anyone opened it for writing. */
export interface WriterWatch {
  /** Whether something was written, or a writer has come and gone without writing anything. */
  readonly hasCome: () => boolean;
  /** Resolves once it is so. Holds a thread of libuv's pool meanwhile. */
  readonly wait: () => Promise<void>;
}

/** Memory that a thread uses. koffi leaves it to its caller to keep that from the garbage collector. */
const inUse = new Set<Buffer>();

/** Watches a FIFO for its first writer. Unlike open(2) that blocks, this tells a writer of nothing from none. */
export async function watchForWriter(fd: number): Promise<WriterWatch> {
  const calls = await libc();
  return {
    hasCome: () => calls.poll(pollEntry(fd), 1, 0) > 0,
    wait: () => {
      const entry = pollEntry(fd);
      inUse.add(entry);
      return new Promise((resolve, reject) => {
        calls.poll.async(entry, 1, -1, (error) => {
          inUse.delete(entry);
          if (error === null) resolve();
          else reject(error);
        });
      });
    },
  };
}

/** struct pollfd: int fd; short events; short revents. */
const POLL_ENTRY_BYTES = 8;

function pollEntry(...fds: readonly number[]): Buffer {
  const entries = Buffer.alloc(fds.length * POLL_ENTRY_BYTES);
  for (const [i, fd] of fds.entries()) {
    entries.writeInt32LE(fd, i * POLL_ENTRY_BYTES);
    entries.writeInt16LE(POLLIN, i * POLL_ENTRY_BYTES + 4);
  }
  return entries;
}

/**
 * Waits until something can be read from one of these descriptors, or they meet an end or an error; at most so many
 * milliseconds. Gives those of which it is so. Holds a thread of libuv's pool meanwhile.
 */
export async function whenReadable(fds: readonly number[], milliseconds: number): Promise<number[]> {
  const calls = await libc();
  const entries = pollEntry(...fds);
  inUse.add(entries);
  return new Promise((resolve, reject) => {
    calls.poll.async(entries, fds.length, milliseconds, (error) => {
      inUse.delete(entries);
      if (error !== null) return reject(error);
      resolve(fds.filter((_, i) => entries.readInt16LE(i * POLL_ENTRY_BYTES + 6) !== 0));
    });
  });
}
