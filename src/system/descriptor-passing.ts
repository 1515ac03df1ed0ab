import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { AF_UNIX, check, type Libc, libc, O_CLOEXEC, SOCK_STREAM } from './libc.ts';

/*
 * Descriptors that go from one process to another over UNIX sockets (unix(7), cmsg(3)). All structures are those of 64-bit
 * Linux.
 */

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const SO_SNDBUFFORCE = 32;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x40000000;

const IOVEC_BYTES = 16;
const MSGHDR_BYTES = 56;
const CMSG_HEADER_BYTES = 16;
const CMSG_BYTES = 24;

/** Listens at a path, which must not be there yet. The caller closes the socket and removes the path. */
export async function listenAt(path: string): Promise<number> {
  const calls = await libc();
  const socket = calls.socket(AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0);
  check(socket, calls, 'socket');
  // The address holds 107 bytes only: the directory is named by a descriptor.
  const directory = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const name = Buffer.from(`/proc/self/fd/${directory}/${basename(path)}\0`);
    const address = Buffer.concat([Buffer.of(AF_UNIX, 0), name]);
    check(calls.bind(socket, address, address.length), calls, `bind ${path}`);
    check(calls.listen(socket, 1), calls, `listen at ${path}`);
    return socket;
  } catch (error) {
    closeSync(socket);
    throw error;
  } finally {
    closeSync(directory);
  }
}

/** Takes the connection that waits at a listening socket. */
export async function acceptOne(listener: number): Promise<number> {
  const calls = await libc();
  const connection = calls.accept4(listener, null, null, O_CLOEXEC);
  check(connection, calls, 'accept4');
  return connection;
}

export interface Received {
  /** Fewer than asked for at the end of the stream. */
  readonly bytes: Buffer;
  /** Came with these bytes; the caller closes it. */
  readonly descriptor: number | undefined;
}

/** Takes at most `count` bytes of what is there, and the descriptor that was sent with them. Throws EAGAIN where nothing is. */
export async function receiveBytes(socket: number, count: number): Promise<Received> {
  const calls = await libc();
  const bytes = Buffer.alloc(count);
  const message = messageOf(calls, bytes, Buffer.alloc(CMSG_BYTES));
  const got = calls.recvmsg(socket, message.header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  check(got, calls, 'recvmsg');
  const { control } = message;
  const isDescriptor =
    message.header.readBigUInt64LE(40) >= CMSG_HEADER_BYTES + 4 && control.readInt32LE(12) === SCM_RIGHTS;
  return {
    bytes: bytes.subarray(0, got),
    descriptor: isDescriptor ? control.readInt32LE(CMSG_HEADER_BYTES) : undefined,
  };
}

/**
 * Leaves copies of descriptors in a socket from which nobody reads: they stay open as long as its other end does, whoever
 * has it and whatever becomes of this process.
 */
export interface DescriptorStore {
  /** Throws EAGAIN where it is full. */
  readonly put: (descriptor: number) => void;
}

/** Bytes of kernel memory for descriptors that wait; each takes less than 1 KiB. */
const STORE_BYTES = 8 << 20;

export async function descriptorStore(socket: number): Promise<DescriptorStore> {
  const calls = await libc();
  const size = Buffer.alloc(4);
  size.writeInt32LE(STORE_BYTES, 0);
  check(
    calls.setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, size, size.length),
    calls,
    'enlarge the buffer of a socket',
  );
  return {
    put: (descriptor) => {
      const control = Buffer.alloc(CMSG_BYTES);
      control.writeBigUInt64LE(BigInt(CMSG_HEADER_BYTES + 4), 0);
      control.writeInt32LE(SOL_SOCKET, 8);
      control.writeInt32LE(SCM_RIGHTS, 12);
      control.writeInt32LE(descriptor, CMSG_HEADER_BYTES);
      const message = messageOf(calls, Buffer.alloc(1), control);
      check(calls.sendmsg(socket, message.header, MSG_DONTWAIT), calls, 'keep a descriptor');
    },
  };
}

/** struct msghdr of one part and one control message; the buffers live as long as the object that names them. */
function messageOf(
  calls: Libc,
  bytes: Buffer,
  control: Buffer,
): { readonly header: Buffer; readonly parts: Buffer; readonly bytes: Buffer; readonly control: Buffer } {
  const parts = Buffer.alloc(IOVEC_BYTES);
  parts.writeBigUInt64LE(addressOf(calls, bytes), 0);
  parts.writeBigUInt64LE(BigInt(bytes.length), 8);
  const header = Buffer.alloc(MSGHDR_BYTES);
  header.writeBigUInt64LE(addressOf(calls, parts), 16);
  header.writeBigUInt64LE(1n, 24);
  header.writeBigUInt64LE(addressOf(calls, control), 32);
  header.writeBigUInt64LE(BigInt(control.length), 40);
  return { header, parts, bytes, control };
}

/** Where a buffer lies; it does not move. */
export const addressOf = (calls: Libc, bytes: Buffer): bigint => BigInt(calls.memcpy(bytes, bytes, 0));
