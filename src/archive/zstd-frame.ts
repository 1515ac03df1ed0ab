import { readFileSync } from 'node:fs';
import { fail } from '../model/errors.ts';
import { type RunResult, run } from '../system/process.ts';
import { failWriter } from './writer-errors.ts';
import type { ArchiveOutput } from './writer-output.ts';

/** zstd says at its end how much it has read: `(3000001 B => 1030623 B`, before 1.5 `(3000001 => 1030623 bytes`. */
const SIZE = /\(\s*(\d+)(?: B)? => /;

const POLL_MS = 100;
/** What zstd reads besides its input, its libraries, is less. */
const SLACK_BYTES = 1 << 20;

export interface FrameOptions {
  readonly command: readonly string[];
  readonly signal: AbortSignal | undefined;
  /** Told now and then about how many bytes were read so far. */
  readonly progress: (bytes: number) => void;
}

/**
 * Lets zstd read a descriptor to its end and put it at the output's end as one frame, so that each byte is copied twice and no
 * thread of this process has a part in it: CRIU, which waits for its reader, is not held up by a third party. Gives the
 * bytes read. Errors: those of failWriter.
 */
export async function zstdFrame(
  output: ArchiveOutput,
  fd: number,
  { command, signal, progress }: FrameOptions,
): Promise<number> {
  let timer: NodeJS.Timeout | undefined;
  const result = await run(command, {
    input: fd,
    stdout: output.fd(),
    newSession: true,
    signal,
    onSpawn: ({ pid }) => {
      progress(0);
      timer = setInterval(() => progress(bytesRead(pid)), POLL_MS);
    },
  });
  clearInterval(timer);
  if (!result.ok) failWriter(result, output.place(), signal);
  return sizeTold(result, output.place().what);
}

/** How many bytes a zstd has read that was told to say so (-vv). Fails with PROGRAM_FAILED. */
export function sizeTold({ stderr }: Pick<RunResult, 'stderr'>, what: string): number {
  const size = SIZE.exec(stderr)?.[1];
  if (size !== undefined) return Number(size);
  return fail('PROGRAM_FAILED', {
    message: `could not write ${what}: zstd does not tell how much it has read`,
    hint: 'Choose --compress none, or bring a zstd between 1.3 and 1.5.',
  });
}

/** About how much of its input a running program has read (proc_pid_io(5)). */
export function bytesRead(pid: number | undefined): number {
  try {
    const read = /^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1];
    return Math.max(0, Number(read ?? 0) - SLACK_BYTES);
  } catch {
    // It has ended.
    return 0;
  }
}
