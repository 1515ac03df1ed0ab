import { closeSync } from 'node:fs';
import { enlargePipe, makePipe } from '../system/libc.ts';
import { type RunResult, run } from '../system/process.ts';
import { failInterrupted, failWriter } from './writer-errors.ts';
import type { ArchiveOutput } from './writer-output.ts';
import { PIPE_BYTES, writeAll } from './writer-pump.ts';

/** One frame under way. */
export interface Compressor {
  readonly put: (bytes: Uint8Array) => Promise<void>;
  /** Waits until all is in the output. Must be called, also after a failure, which it then passes over. */
  readonly end: () => Promise<void>;
}

/** Starts a program that puts a frame at the output's end, or passes the bytes on where there is none. */
export async function openCompressor(
  output: ArchiveOutput,
  command: readonly string[] | undefined,
  signal: AbortSignal | undefined,
): Promise<Compressor> {
  const check = (): void => {
    if (signal?.aborted === true) failInterrupted(output.place());
  };
  if (command === undefined) {
    return {
      put: (bytes) => {
        check();
        return output.append(bytes);
      },
      end: async () => check(),
    };
  }
  const pipe = await makePipe();
  await enlargePipe(pipe.write, PIPE_BYTES);
  // Signals from the terminal reach it through `signal`, in order.
  const ended = run(command, { input: pipe.read, stdout: output.fd(), newSession: true, signal });
  closeSync(pipe.read);
  return feed(pipe.write, ended, (result) => failWriter(result, output.place(), signal));
}

function feed(fd: number, ended: Promise<RunResult>, explain: (result: RunResult) => never): Compressor {
  let isOpen = true;
  ended.catch(() => undefined);
  const end = async (): Promise<void> => {
    if (isOpen) closeSync(fd);
    isOpen = false;
    const result = await ended;
    if (!result.ok) explain(result);
  };
  return {
    put: async (bytes) => {
      try {
        await writeAll(fd, bytes, null);
      } catch (error) {
        // It has ended, which breaks the pipe: its own words tell why.
        await end();
        throw error;
      }
    },
    end,
  };
}
