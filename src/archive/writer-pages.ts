import { closeSync, constants, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { enlargePipe, makeBlocking, makeFifo, watchForWriter } from '../system/libc.ts';
import { drain, PIPE_BYTES } from './writer-pump.ts';

/** FIFOs that are there beyond the one that is read. */
const AHEAD = 32;

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;

/**
 * Runs a dump whose pages files are FIFOs, and hands each that CRIU opens to `take`, which reads it to its end. CRIU
 * numbers pages files from 1 in the order in which it writes them, one after another (criu/image.c
 * open_pages_image_at, criu/mem.c, criu/shmem.c, and the pre-dump's loop in criu/cr-dump.c), so one reader serves all:
 * CRIU waits in open(2) for it.
 *
 * When `take` fails, the rest is read and thrown away until the dump has ended, and then the failure is thrown. Closing
 * the FIFO instead would end the dump with EPIPE, but up to CRIU 3.16 with SIGPIPE, in the middle of foreign processes.
 */
export async function receivePages<T>(
  directory: string,
  dump: () => Promise<T>,
  take: (name: string, fd: number) => Promise<void>,
): Promise<T> {
  const fifos = pageFifos(directory);
  try {
    await fifos.makeUpTo(AHEAD);
    const dumping = outcomeOf(dump);
    const failure = await serve(fifos, dumping, take);
    const outcome = await dumping;
    if (failure !== undefined) throw failure.error;
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  } finally {
    await fifos.remove();
  }
}

interface Fifos {
  readonly name: (number: number) => string;
  readonly path: (number: number) => string;
  readonly has: (number: number) => boolean;
  readonly makeUpTo: (number: number) => Promise<void>;
  readonly remove: () => Promise<void>;
}

function pageFifos(directory: string): Fifos {
  const name = (number: number): string => `pages-${number}.img`;
  const path = (number: number): string => join(directory, name(number));
  let made = 0;
  return {
    name,
    path,
    has: (number) => number <= made,
    makeUpTo: async (number) => {
      for (; made < number; made += 1) await makeFifo(path(made + 1));
    },
    remove: async () => {
      for (; made > 0; made -= 1) await rm(path(made), { force: true });
    },
  };
}

type Outcome<T> = { readonly value: T } | { readonly error: unknown };

/** Never rejects. */
async function outcomeOf<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error };
  }
}

/** Reads FIFO after FIFO until the dump has ended. Gives the first failure of `take`. */
async function serve(
  fifos: Fifos,
  dumping: Promise<unknown>,
  take: (name: string, fd: number) => Promise<void>,
): Promise<{ readonly error: unknown } | undefined> {
  let failure: { readonly error: unknown } | undefined;
  for (let number = 1; ; number += 1) {
    try {
      await fifos.makeUpTo(number + AHEAD);
    } catch (error) {
      failure ??= { error };
    }
    if (!fifos.has(number)) {
      // CRIU makes a file of its own here, which fails as the FIFO did or is removed with the directory.
      await dumping;
      return failure;
    }
    const fd = openSync(fifos.path(number), O_RDONLY | O_NONBLOCK);
    try {
      if (!(await comesBeforeEnd(fd, dumping))) return failure;
      await makeBlocking(fd);
      await enlargePipe(fd, PIPE_BYTES);
      if (failure === undefined) await take(fifos.name(number), fd);
    } catch (error) {
      failure ??= { error };
    } finally {
      if (failure !== undefined) await drain(fd).catch(() => undefined);
      closeSync(fd);
    }
  }
}

/** Whether CRIU has opened the FIFO, as against: the dump has ended without. */
async function comesBeforeEnd(fd: number, dumping: Promise<unknown>): Promise<boolean> {
  const watch = await watchForWriter(fd);
  const coming = watch.wait().then(() => 'come' as const);
  const first = await Promise.race([coming, dumping]);
  if (first === 'come') return true;
  const hasCome = watch.hasCome();
  // A writer that comes and goes ends the waiting. The FIFO may have lost its name meanwhile.
  if (!hasCome) closeSync(openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK));
  await coming;
  return hasCome;
}
