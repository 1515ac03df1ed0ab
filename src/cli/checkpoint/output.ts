import { write } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { errnoOf, fail } from '../../model/errors.ts';

/** Where a command's own output goes: text or bytes, in the order of the calls. */
export type Sink = (part: string | Uint8Array) => Promise<void>;

/** Small parts are written together. */
const BUFFER_BYTES = 64 * 1024;
const STDOUT = 1;
/** Milliseconds until a full pipe is tried again. */
const RETRY_MS = 5;

const writeTo = promisify(write);

/**
 * Gives `work` standard output, or a file that only root may read, since memory holds secrets; a file that exists is
 * replaced. A reader of standard output that goes away (`| head`) ends `work`, which can still clean up, unlike at
 * process.stdout, where it ends the program. Errors: USAGE where it cannot be written, NO_SPACE.
 */
export async function withOutput(
  path: string | undefined,
  signal: AbortSignal,
  work: (sink: Sink) => Promise<void>,
): Promise<void> {
  const file = path === undefined ? undefined : await openNew(path);
  try {
    await buffered((bytes) => (file === undefined ? toStdout(bytes, signal) : file.writeFile(bytes)), work);
  } catch (error) {
    if (errnoOf(error) === 'EPIPE' && file === undefined) return;
    if (errnoOf(error) !== 'ENOSPC') throw error;
    fail('NO_SPACE', {
      message: `could not write ${path ?? 'the output'}: no space left on the file system`,
    });
  } finally {
    await file?.close();
  }
}

async function buffered(
  writeAll: (bytes: Buffer) => Promise<void>,
  work: (sink: Sink) => Promise<void>,
): Promise<void> {
  let waiting: Uint8Array[] = [];
  let held = 0;
  const flush = async (): Promise<void> => {
    const bytes = Buffer.concat(waiting);
    waiting = [];
    held = 0;
    await writeAll(bytes);
  };
  await work(async (part) => {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part;
    waiting.push(bytes);
    held += bytes.length;
    if (held >= BUFFER_BYTES) await flush();
  });
  await flush();
}

/** Pipes and sockets do not wait here: Node has them set so. */
async function toStdout(bytes: Buffer, signal: AbortSignal): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    try {
      done += (await writeTo(STDOUT, bytes, done)).bytesWritten;
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN') throw error;
      signal.throwIfAborted();
      await wait(RETRY_MS);
    }
  }
}

async function openNew(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'w', 0o600);
  } catch (error) {
    return fail('USAGE', {
      message: `could not write ${path}: ${errnoOf(error) ?? 'unknown error'}`,
      cause: error,
    });
  }
}
