import { createHash } from 'node:crypto';
import { read, write } from 'node:fs';

/** What a pump has moved. */
export interface Pumped {
  /** Bytes. */
  readonly size: number;
  /** 64 hexadecimal digits; undefined where the frame's own check stands for it. */
  readonly sha256?: string;
}

/** As much as an enlarged pipe holds. */
export const PIPE_BYTES = 1 << 20;

/** The first bytes of a stream: all of it, or at least {@link PIPE_BYTES}. */
export interface Head {
  readonly bytes: Buffer;
  /** There is no more. */
  readonly isAll: boolean;
}

/** Reads the beginning of a stream. */
export async function readHead(from: number): Promise<Head> {
  const buffer = Buffer.allocUnsafeSlow(2 * PIPE_BYTES);
  let size = 0;
  while (size < PIPE_BYTES) {
    const count = await readSome(from, buffer.subarray(size));
    if (count === 0) return { bytes: buffer.subarray(0, size), isAll: true };
    size += count;
  }
  return { bytes: buffer.subarray(0, size), isAll: false };
}

/**
 * Moves bytes from a descriptor to `put` until its end, after `head`, which was read of it, and hashes them: reading, hashing and writing at
 * the same time, through two buffers that are used again and again. When `put` fails, nothing is being read any more.
 */
export async function pump(
  from: number,
  put: (bytes: Buffer) => Promise<void>,
  head: Buffer = Buffer.alloc(0),
): Promise<Required<Pumped>> {
  const hash = createHash('sha256').update(head);
  if (head.length > 0) await put(head);
  let [current, next] = [Buffer.allocUnsafeSlow(PIPE_BYTES), Buffer.allocUnsafeSlow(PIPE_BYTES)];
  let size = head.length;
  let reading = readSome(from, current);
  for (;;) {
    const count = await reading;
    if (count === 0) return { size, sha256: hash.digest('hex') };
    const bytes = current.subarray(0, count);
    reading = readSome(from, next);
    const writing = put(bytes);
    hash.update(bytes);
    try {
      await writing;
    } catch (error) {
      // The descriptor must not be closed under a thread that reads from it.
      await reading.catch(() => 0);
      throw error;
    }
    size += count;
    [current, next] = [next, current];
  }
}

/** Reads to the end and forgets. */
export async function drain(from: number): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(PIPE_BYTES);
  while ((await readSome(from, buffer)) > 0);
}

function readSome(fd: number, buffer: Buffer): Promise<number> {
  const reading = new Promise<number>((resolve, reject) => {
    read(fd, buffer, 0, buffer.length, null, (error, count) => (error ? reject(error) : resolve(count)));
  });
  // Awaited later; until then a failure is not an unhandled one.
  reading.catch(() => undefined);
  return reading;
}

/** Writes all of `bytes` at a position, or at the descriptor's offset. */
export async function writeAll(fd: number, bytes: Uint8Array, position: number | null): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const at = position === null ? null : position + done;
    done += await writeSome(fd, bytes.subarray(done), at);
  }
}

function writeSome(fd: number, bytes: Uint8Array, position: number | null): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, 0, bytes.length, position, (error, count) => (error ? reject(error) : resolve(count)));
  });
}
