import { createHash } from 'node:crypto';
import { read, write } from 'node:fs';

/** What a pump has moved. */
export interface Pumped {
  /** Bytes. */
  readonly size: number;
  /** 64 hexadecimal digits. */
  readonly sha256: string;
}

/** As much as an enlarged pipe holds. */
export const PIPE_BYTES = 1 << 20;

/**
 * Moves bytes from a descriptor to `put` until its end and hashes them: reading, hashing and writing at the same time,
 * through two buffers that are used again and again. The bytes are read once, so that what is hashed is what is stored
 * even where the pages of a running process are in the pipe. When `put` fails, nothing is being read any more.
 */
export async function pump(from: number, put: (bytes: Buffer) => Promise<void>): Promise<Pumped> {
  const hash = createHash('sha256');
  let [current, next] = [Buffer.allocUnsafeSlow(PIPE_BYTES), Buffer.allocUnsafeSlow(PIPE_BYTES)];
  let size = 0;
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
