import { type FileHandle, open } from 'node:fs/promises';
import { errnoOf, fail } from '../../model/errors.ts';

/** Where a command's own output goes: text or bytes, in the order of the calls. */
export type Sink = (part: string | Uint8Array) => Promise<void>;

/** Small parts are written together. */
const BUFFER_BYTES = 64 * 1024;

/**
 * Gives `work` standard output, or a file that only root may read, since memory holds secrets; a file that exists is
 * replaced. A reader of standard output that goes away (`| head`) ends `work`, which can still clean up, unlike at
 * process.stdout, where it ends the program. Errors: USAGE where it cannot be written, NO_SPACE.
 */
export async function withOutput(
  path: string | undefined,
  work: (sink: Sink) => Promise<void>,
): Promise<void> {
  const file = path === undefined ? await openStdout() : await openNew(path);
  try {
    await buffered(file, work);
  } catch (error) {
    if (errnoOf(error) === 'EPIPE' && path === undefined) return;
    if (errnoOf(error) !== 'ENOSPC') throw error;
    fail('NO_SPACE', {
      message: `could not write ${path ?? 'the output'}: no space left on the file system`,
    });
  } finally {
    await file?.close();
  }
}

async function buffered(file: FileHandle | undefined, work: (sink: Sink) => Promise<void>): Promise<void> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    const all = Buffer.concat(waiting);
    waiting = [];
    bytes = 0;
    if (file === undefined) await toStdout(all);
    else await file.writeFile(all);
  };
  await work(async (part) => {
    const next = typeof part === 'string' ? Buffer.from(part) : part;
    waiting.push(next);
    bytes += next.length;
    if (bytes >= BUFFER_BYTES) await flush();
  });
  await flush();
}

/** Standard output opened anew, so that errors come back to the writer; a socket cannot be. */
async function openStdout(): Promise<FileHandle | undefined> {
  try {
    return await open('/proc/self/fd/1', 'a');
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENXIO' || errno === 'ENOENT' || errno === 'EACCES' || errno === 'EINVAL') return undefined;
    throw error;
  }
}

const toStdout = (part: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) => {
    process.stdout.write(part, (error) => (error ? reject(error) : resolve()));
  });

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
