import { closeSync, openSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import type { KoffiFunc } from 'koffi';

/** A whole Ethernet frame and the interface that it leaves by. */
export interface LinkFrame {
  readonly interfaceName: string;
  readonly bytes: Uint8Array;
}

// socket.h and if_packet.h of Linux; the same on x86-64 and arm64.
const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const CLONE_NEWNET = 0x40000000;
/** Bytes of struct sockaddr_ll. */
const ADDRESS_BYTES = 20;

interface Calls {
  readonly setns: KoffiFunc<(fd: number, type: number) => number>;
  readonly socket: KoffiFunc<(domain: number, type: number, protocol: number) => number>;
  readonly index: KoffiFunc<(name: string) => number>;
  readonly sendto: KoffiFunc<
    (fd: number, data: Uint8Array, length: number, flags: number, to: Uint8Array, size: number) => number
  >;
  readonly errno: () => number;
}

async function load(): Promise<Calls> {
  const { default: koffi } = await import('koffi');
  const library = koffi.load('libc.so.6');
  return {
    setns: library.func('int setns(int fd, int type)'),
    socket: library.func('int socket(int domain, int type, int protocol)'),
    index: library.func('unsigned int if_nametoindex(const char *name)'),
    sendto: library.func(
      'long sendto(int fd, const uint8_t *data, size_t length, int flags, const uint8_t *to, uint32_t size)',
    ),
    errno: () => koffi.errno(),
  };
}

/**
 * Sends frames from within the network namespace kept at `netns`. Packet filters do not see them (but those of the
 * families netdev and bridge). Throws with the errno's name as code: ENODEV for an interface that is not there …
 */
export async function sendFrames(netns: string, frames: readonly LinkFrame[]): Promise<void> {
  const calls = await load();
  const { fd, indices } = enter(calls, netns, () => ({
    // A socket stays in the namespace that it was made in.
    fd: calls.socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0),
    indices: frames.map(({ interfaceName }) => calls.index(interfaceName)),
  }));
  check(calls, fd, `make a packet socket in ${netns}`);
  try {
    for (const [i, { bytes, interfaceName }] of frames.entries()) {
      const to = address(indices[i] ?? 0);
      check(calls, calls.sendto(fd, bytes, bytes.length, 0, to, to.length), `send from ${interfaceName}`);
    }
  } finally {
    closeSync(fd);
  }
}

/** Runs `work` in another network namespace. It is synchronous, so that nothing else of this thread can run there. */
function enter<T>(calls: Calls, netns: string, work: () => T): T {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  try {
    const there = openSync(netns, 'r');
    try {
      check(calls, calls.setns(there, CLONE_NEWNET), `enter ${netns}`);
      try {
        return work();
      } finally {
        check(calls, calls.setns(home, CLONE_NEWNET), 'come back to the network namespace of this process');
      }
    } finally {
      closeSync(there);
    }
  } finally {
    closeSync(home);
  }
}

/** struct sockaddr_ll: family, protocol, ifindex; the rest is in the frame. */
function address(index: number): Buffer {
  const bytes = Buffer.alloc(ADDRESS_BYTES);
  bytes.writeUInt16LE(AF_PACKET, 0);
  bytes.writeInt32LE(index, 4);
  return bytes;
}

function check(calls: Calls, result: number, doing: string): void {
  if (result !== -1) return;
  const code = getSystemErrorName(-calls.errno());
  throw Object.assign(new Error(`${code}: ${doing}`), { code });
}
