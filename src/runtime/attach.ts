import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../model/errors.ts';
import { connectPacketSocket, type PacketSocket } from '../system/packet-socket.ts';
import { bundleDirectory } from '../system/store-paths.ts';
import { DEFAULT_DETACH_KEYS, parseDetachKeys, watchKeys } from './detach-keys.ts';
import type { Attachment, AttachRequest } from './types.ts';

/** conmon's packets: one byte that names the stream, then at most STDIO_BUF_SIZE bytes (config.h: 8192). */
const MAX_PACKET = 8192 + 1;
const STDOUT = 2;
const STDERR = 3;
/** conmon reads at most 32 KiB at once and drops what is over (CONN_SOCK_BUF_SIZE of config.h). */
const MAX_INPUT = 8192;
/** Packets taken in one go before other work has its turn. */
const BURST = 64;
/** Kind of message in the `ctl` FIFO (ctrl.c, WIN_RESIZE_EVENT). */
const RESIZE_EVENT = 1;

type Ending = 'ended' | 'detached';

/**
 * Connects this process's terminal or pipes to a container, through the socket `attach` that conmon holds in the bundle.
 * Await it before the runtime's start(), and no output is lost. With `tty` and a terminal on stdin: raw mode, and the
 * container's terminal follows the size of this one. The terminal is as before when `done` settles.
 * Fails with ENOENT or ECONNREFUSED (a system error) when the container's monitor does not run.
 */
export async function attach(request: AttachRequest): Promise<Attachment> {
  const keys = parseDetachKeys(request.detachKeys ?? DEFAULT_DETACH_KEYS);
  const bundle = bundleDirectory(request.store, request.id);
  const socket = await connectPacketSocket(bundle, 'attach', MAX_PACKET);
  const restores: (() => void)[] = [];
  let detached = false;
  const detach = (): void => {
    detached = true;
    socket.close();
  };
  if (request.tty) restores.push(followSize(bundle));
  if (request.stdin) restores.push(forwardInput(socket, request.tty, keys, detach));
  const finish = (): Ending => {
    for (const restore of restores.splice(0)) restore();
    socket.close();
    return detached ? 'detached' : 'ended';
  };
  const done = copyOutput(socket, request).then(finish, (error: unknown) => {
    finish();
    throw error;
  });
  return { done, close: detach };
}

/** Reads packets until the container's side closes. */
async function copyOutput(socket: PacketSocket, request: AttachRequest): Promise<void> {
  const write = (packet: Buffer): Promise<void> | undefined => {
    if (packet[0] === STDOUT && request.stdout !== false) return put(process.stdout, packet.subarray(1));
    if (packet[0] === STDERR && request.stderr !== false) return put(process.stderr, packet.subarray(1));
    return undefined;
  };
  for (;;) {
    let packet = await socket.receive();
    if (packet === undefined) return;
    for (let count = 0; packet !== undefined; count += 1) {
      await write(packet);
      packet = count < BURST ? socket.receiveNow() : undefined;
    }
  }
}

/** Writes; waits when the reader is slow, and forgets the data when there is no reader any more. */
function put(stream: NodeJS.WriteStream, data: Buffer): Promise<void> | undefined {
  if (stream.destroyed || !stream.writable) return undefined;
  if (stream.write(data)) return undefined;
  return new Promise((resolve) => {
    const settle = (): void => {
      stream.off('drain', settle);
      stream.off('close', settle);
      resolve();
    };
    stream.once('drain', settle);
    stream.once('close', settle);
  });
}

/** Sends stdin; returns what undoes it. */
function forwardInput(
  socket: PacketSocket,
  tty: boolean,
  keys: readonly number[],
  detach: () => void,
): () => void {
  const { stdin } = process;
  const raw = tty && stdin.isTTY;
  // Bytes that come from a file or pipe are data, whatever they are.
  const watch = watchKeys(stdin.isTTY ? keys : []);
  let ended = false;
  let sending: Promise<void> = Promise.resolve();
  const onData = (chunk: Buffer): void => {
    const { pass, detach: typed } = watch.feed(chunk);
    stdin.pause();
    sending = sending.then(async () => {
      await sendAll(socket, pass);
      if (typed) detach();
      else if (!ended) stdin.resume();
    });
  };
  const onEnd = (): void => {
    sending = sending.then(() => socket.endSending());
  };
  if (raw) stdin.setRawMode(true);
  stdin.on('data', onData);
  stdin.once('end', onEnd);
  stdin.resume();
  return () => {
    ended = true;
    stdin.off('data', onData);
    stdin.off('end', onEnd);
    stdin.pause();
    if (raw) stdin.setRawMode(false);
    // An open pipe on stdin must not keep this process from ending.
    if ('unref' in stdin) stdin.unref();
  };
}

async function sendAll(socket: PacketSocket, data: Buffer): Promise<void> {
  for (let at = 0; at < data.length; at += MAX_INPUT) {
    if (!(await socket.send(data.subarray(at, at + MAX_INPUT)))) return;
  }
}

/** Tells conmon this terminal's size now and at each change; returns what ends that. */
function followSize(bundle: string): () => void {
  const terminal = process.stdout.isTTY ? process.stdout : process.stderr;
  if (!terminal.isTTY) return () => undefined;
  const tell = (): void => resizeTerminal(bundle, terminal.rows, terminal.columns);
  tell();
  terminal.on('resize', tell);
  return () => terminal.off('resize', tell);
}

/** Sets the size of the container's terminal. Does nothing when the container has ended. */
function resizeTerminal(bundle: string, rows: number, columns: number): void {
  try {
    const fd = openSync(join(bundle, 'ctl'), constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      writeSync(fd, `${RESIZE_EVENT} ${rows} ${columns}\n`);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const errno = errnoOf(error);
    // No FIFO, or no conmon that reads it: nothing is left to resize.
    if (errno !== 'ENXIO' && errno !== 'ENOENT' && errno !== 'EAGAIN') throw error;
  }
}
