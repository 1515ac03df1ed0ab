import { getSystemErrorName } from 'node:util';
import type { LibraryHandle } from 'koffi';
import { CryopodError, messageOf } from '../model/errors.ts';

/** A pipe between two child programs; both ends are closed in other children (O_CLOEXEC). */
export interface Pipe {
  readonly read: number;
  readonly write: number;
}

const O_CLOEXEC = 0o2000000;
const S_IFCHR = 0o020000;
/** fcntl(2). */
const F_SETPIPE_SZ = 1031;

interface Libc {
  readonly pipe2: (fds: Int32Array, flags: number) => number;
  readonly lsetxattr: (path: string, name: string, value: Buffer, size: number, flags: number) => number;
  readonly lgetxattr: (path: Buffer, name: string, value: Buffer, size: number) => number;
  readonly mknod: (path: string, mode: number, device: number) => number;
  readonly fcntl: (fd: number, command: number, type: 'int', argument: number) => number;
  readonly errno: () => number;
}

let loaded: Promise<Libc> | undefined;

/** The few calls that Node lacks. Loaded at first use, since koffi costs about 15 ms. */
function libc(): Promise<Libc> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<Libc> {
  try {
    const { default: koffi } = await import('koffi');
    const library: LibraryHandle = koffi.load('libc.so.6');
    return {
      pipe2: library.func('int pipe2(_Out_ int *fds, int flags)'),
      lsetxattr: library.func(
        'int lsetxattr(const char *path, const char *name, const uint8_t *value, size_t size, int flags)',
      ),
      lgetxattr: library.func(
        'long lgetxattr(const char *path, const char *name, _Out_ uint8_t *value, size_t size)',
      ),
      mknod: library.func('int mknod(const char *path, unsigned int mode, unsigned long device)'),
      fcntl: library.func('int fcntl(int fd, int command, ...)'),
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
function check(result: number, calls: Libc, doing: string): void {
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

/**
 * Asks for a pipe or FIFO that holds `bytes`, so that both sides work in long stretches. Without CAP_SYS_RESOURCE
 * /proc/sys/fs/pipe-max-size limits it; what is not granted stays as it was. Returns whether it was granted.
 */
export async function enlargePipe(fd: number, bytes: number): Promise<boolean> {
  const calls = await libc();
  return calls.fcntl(fd, F_SETPIPE_SZ, 'int', bytes) !== -1;
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
    const size = calls.lgetxattr(Buffer.concat([path, Buffer.from([0])]), name, value, value.length);
    if (size !== -1) return Buffer.from(value.subarray(0, size));
    const errno = getSystemErrorName(-calls.errno());
    if (errno !== 'ENODATA' && errno !== 'ENOTSUP') check(size, calls, `read ${name} of ${path}`);
    return undefined;
  };
}

/** Makes the character device 0/0, which overlayfs takes for "deleted here". Throws EEXIST. */
export async function makeWhiteout(path: string): Promise<void> {
  const calls = await libc();
  check(calls.mknod(path, S_IFCHR, 0), calls, `make the whiteout ${path}`);
}
