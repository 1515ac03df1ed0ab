import { waitFor } from '../system/clock.ts';
import { run, signalIfThere } from '../system/process.ts';
import { processesWorkingOn, processStat } from '../system/procfs.ts';

/** CRIU, also through the loader of a private copy. */
const CRIU = /^(?:criu|ld-linux)/;

/**
 * Bytes that a file may still have. Memory takes more wherever a dump takes long, while the log, whose last line says that
 * a dump is complete, and all other images stay below.
 */
const FILE_LIMIT = 16 << 20;

/**
 * Goes before a command that dumps. With this signal blocked, which programs inherit, a write beyond the limit of
 * {@link cancelDump} fails; otherwise it would kill CRIU in the middle of foreign processes.
 */
export const CANCELLABLE = ['env', '--block-signal=XFSZ'] as const;

/**
 * Ends a dump into `images` early: CRIU may not write large files any more, which it meets like a full disk. It lets go of
 * the processes as it found them, and fails. A dump that has written all its memory comes to its end. Returns when `dump`
 * has ended, however it ends.
 */
export async function cancelDump(images: string, dump: Promise<unknown>): Promise<void> {
  let isOver = false;
  const over = (): void => {
    isOver = true;
  };
  dump.then(over, over);
  // Again and again, since the runtime may not have started it yet.
  await waitFor(async () => {
    if (isOver) return true;
    for (const { pid } of processesWorkingOn(images, CRIU)) {
      await run(['prlimit', '--pid', String(pid), `--fsize=${FILE_LIMIT}:${FILE_LIMIT}`]);
    }
    return isOver;
  }, Number.POSITIVE_INFINITY);
}

/**
 * Ends forks of a CRIU at work on something at or below `path` that was killed. It forks some to try the kernel, which stop or
 * sleep until it ends them (CRIU criu/kerndat.c, criu/util.c). Nobody will, and they hold the socket at which the runtime waits.
 * A CRIU whose runtime was killed is left alone. Idempotent.
 */
export function endAbandoned(path: string): void {
  const all = processesWorkingOn(path, CRIU);
  for (const { pid, parent, isFork } of all) {
    // What a restore forks as its runtime's child is a sibling of CRIU.
    const isTended = isCriu(parent) || all.some((other) => !other.isFork && other.parent === parent);
    // Looked at once more: where CRIU has just come to its end, what it restored has a name of its own by now.
    if (isFork && !isTended && isCriu(pid)) signalIfThere(pid, 'SIGKILL');
  }
}

const isCriu = (pid: number): boolean => CRIU.test(processStat(pid)?.name ?? '');

/** Milliseconds between looks for them. */
const ABANDONED_MS = 1000;

/** Waits for a runtime that lets CRIU work on `path`, and that must not wait itself for what a killed CRIU has left. */
export async function withoutAbandoned<T>(path: string, work: Promise<T>): Promise<T> {
  const timer = setInterval(() => endAbandoned(path), ABANDONED_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}

/**
 * After a dump that failed: waits for a CRIU whose runtime was killed, then ends what a CRIU that was killed has left. The
 * processes by which it tries the kernel wait for it, stopped, for good (CRIU criu/kerndat.c). `leader`: the first process
 * of the dump's session.
 */
export async function endSession(images: string, leader: number | undefined): Promise<void> {
  if (leader === undefined) return;
  await waitFor(() => {
    endAbandoned(images);
    return processesWorkingOn(images, CRIU).length === 0;
  }, Number.POSITIVE_INFINITY);
  signalIfThere(-leader, 'SIGKILL');
}
