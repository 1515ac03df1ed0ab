import { errnoOf } from '../model/errors.ts';
import { waitFor } from '../system/clock.ts';
import { run } from '../system/process.ts';
import { processesWorkingOn } from '../system/procfs.ts';

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
 * After a dump that failed: waits for a CRIU whose runtime was killed, then ends what a CRIU that was killed has left. The
 * processes by which it tries the kernel wait for it, stopped, for good (CRIU criu/kerndat.c). `leader`: the first process
 * of the dump's session.
 */
export async function endSession(images: string, leader: number | undefined): Promise<void> {
  if (leader === undefined) return;
  await waitFor(() => processesWorkingOn(images, CRIU).length === 0, Number.POSITIVE_INFINITY);
  try {
    process.kill(-leader, 'SIGKILL');
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}
