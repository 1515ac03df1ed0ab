import { closeSync, constants, openSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import type { KoffiFunc } from 'koffi';

/** A connected unix socket that keeps packets apart (SOCK_SEQPACKET), which Node's net module cannot open. */
export interface PacketSocket {
  /** The next packet, at most `limit` bytes of it; undefined at the end. One call at a time. */
  readonly receive: () => Promise<Buffer | undefined>;
  /** The next packet if one waits already. */
  readonly receiveNow: () => Buffer | undefined;
  /** Sends one packet; false when the other side is gone. One call at a time. */
  readonly send: (packet: Uint8Array) => Promise<boolean>;
  /** Tells the other side that no more packets follow. */
  readonly endSending: () => void;
  /** Ends both directions; a waiting receive() gets undefined. The descriptor closes once no call uses it. Idempotent. */
  readonly close: () => void;
}

// socket.h of Linux; the same on x86-64 and arm64.
const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const SHUT_WR = 1;
const SHUT_RDWR = 2;
/** Bytes of sockaddr_un.sun_path. */
const PATH_BYTES = 108;
const O_PATH = 0o10000000;

type Transfer = KoffiFunc<(fd: number, buffer: Uint8Array, length: number, flags: number) => number>;

interface SocketCalls {
  readonly socket: (domain: number, type: number, protocol: number) => number;
  readonly connect: (fd: number, address: Uint8Array, length: number) => number;
  readonly recv: Transfer;
  readonly send: Transfer;
  readonly shutdown: (fd: number, how: number) => number;
  readonly errno: () => number;
}

async function socketCalls(): Promise<SocketCalls> {
  const { default: koffi } = await import('koffi');
  const library = koffi.load('libc.so.6');
  return {
    socket: library.func('int socket(int domain, int type, int protocol)'),
    connect: library.func('int connect(int fd, const uint8_t *address, unsigned int length)'),
    recv: library.func('long recv(int fd, uint8_t *buffer, size_t length, int flags)'),
    send: library.func('long send(int fd, const uint8_t *buffer, size_t length, int flags)'),
    shutdown: library.func('int shutdown(int fd, int how)'),
    errno: () => koffi.errno(),
  };
}

/** sockaddr_un for a path that fits. */
function address(path: string): Buffer {
  const bytes = Buffer.alloc(2 + PATH_BYTES);
  bytes.writeUInt16LE(AF_UNIX, 0);
  bytes.write(path, 2, PATH_BYTES - 1, 'utf8');
  return bytes;
}

/**
 * Connects to the socket `name` in `directory`, however long that path is. Packets of more than `limit` bytes are cut.
 * Throws with the errno's name as code: ENOENT, ECONNREFUSED …
 */
export async function connectPacketSocket(
  directory: string,
  name: string,
  limit: number,
): Promise<PacketSocket> {
  const calls = await socketCalls();
  const fd = calls.socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd === -1) throw systemError(calls, 'make a socket');
  // The address of a socket may have 107 bytes; this one is short and leads to the same place.
  const directoryFd = openSync(directory, O_PATH | constants.O_DIRECTORY);
  try {
    const where = address(`/proc/self/fd/${directoryFd}/${name}`);
    if (calls.connect(fd, where, where.length) === -1) {
      const error = systemError(calls, `connect to ${directory}/${name}`);
      closeSync(fd);
      throw error;
    }
  } finally {
    closeSync(directoryFd);
  }
  return wrap(calls, fd, limit);
}

function systemError(calls: SocketCalls, doing: string): Error {
  const code = getSystemErrorName(-calls.errno());
  return Object.assign(new Error(`${code}: ${doing}`), { code });
}

function wrap(calls: SocketCalls, fd: number, limit: number): PacketSocket {
  const buffer = Buffer.alloc(limit);
  let users = 0;
  let closed = false;
  const release = (): void => {
    if (closed && users === 0) closeSync(fd);
  };
  const transfer = (call: Transfer, data: Uint8Array, flags: number): Promise<number> => {
    if (closed) return Promise.resolve(0);
    users += 1;
    return new Promise((resolve) => {
      call.async(fd, data, data.length, flags, (error: unknown, count: number) => {
        users -= 1;
        release();
        resolve(error === null || error === undefined ? count : -1);
      });
    });
  };
  const packet = (count: number): Buffer | undefined =>
    count > 0 ? Buffer.from(buffer.subarray(0, count)) : undefined;
  return {
    receive: async () => packet(await transfer(calls.recv, buffer, 0)),
    receiveNow: () => (closed ? undefined : packet(calls.recv(fd, buffer, buffer.length, MSG_DONTWAIT))),
    send: async (data) => (await transfer(calls.send, data, MSG_NOSIGNAL)) >= 0 && !closed,
    endSending: () => {
      if (!closed) calls.shutdown(fd, SHUT_WR);
    },
    close: () => {
      if (closed) return;
      calls.shutdown(fd, SHUT_RDWR);
      closed = true;
      release();
    },
  };
}
