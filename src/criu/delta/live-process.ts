import { closeSync, openSync, readSync } from 'node:fs';
import { errnoOf } from '../../model/errors.ts';

/** A running process, read from outside; it is neither stopped nor waited for. */
export interface LiveProcess {
  /** Its entries in /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst) for pages from `page` on: how many came. */
  readonly pagemap: (entries: Uint32Array, page: number) => number;
  /** Its memory from `address` on: how many bytes came; fewer where mappings end. */
  readonly memory: (bytes: Buffer, address: number) => number;
  readonly close: () => void;
}

/** Errors by which files of /proc/PID tell that the process has ended. */
export const isGone = (error: unknown): boolean => ['ENOENT', 'ESRCH'].includes(errnoOf(error) ?? '');

/** Reading what is not mapped (EIO), or was just unmapped (EFAULT). */
const UNMAPPED = new Set(['EIO', 'EFAULT', 'ESRCH', 'ENOMEM']);

/** Opens a process; undefined when it has gone. Fails with the system's error, EACCES above all. */
export function openProcess(pid: number): LiveProcess | undefined {
  const fds: number[] = [];
  try {
    for (const name of ['pagemap', 'mem']) fds.push(openSync(`/proc/${pid}/${name}`, 'r'));
  } catch (error) {
    for (const fd of fds) closeSync(fd);
    if (isGone(error)) return undefined;
    throw error;
  }
  const [pagemap = -1, memory = -1] = fds;
  return {
    pagemap: (entries, page) =>
      readSome(pagemap, Buffer.from(entries.buffer, entries.byteOffset, entries.byteLength), page * 8) / 8,
    memory: (bytes, address) => readSome(memory, bytes, address),
    close: () => {
      for (const fd of fds) closeSync(fd);
    },
  };
}

/** As much as comes before what cannot be read. */
function readSome(fd: number, bytes: Buffer, position: number): number {
  // Node takes a number as a position only up to 2^53; addresses with five levels of page tables have 57 bits.
  const exact = Number.isSafeInteger(position + bytes.length);
  for (let done = 0; ; ) {
    const at = position + done;
    try {
      const got = readSync(fd, bytes, done, bytes.length - done, exact ? at : BigInt(at));
      done += got;
      if (got === 0 || done === bytes.length) return done;
    } catch (error) {
      if (UNMAPPED.has(errnoOf(error) ?? '')) return done;
      throw error;
    }
  }
}
