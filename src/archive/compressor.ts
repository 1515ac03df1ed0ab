import { closeSync } from 'node:fs';
import { enlargePipe, makePipe, moveBytes } from '../system/libc.ts';
import { type RunResult, run } from '../system/process.ts';
import { failWriter } from './writer-errors.ts';
import type { ArchiveOutput } from './writer-output.ts';
import { PIPE_BYTES, writeAll } from './writer-pump.ts';

/** One frame under way. */
export interface Compressor {
  readonly put: (bytes: Uint8Array) => Promise<void>;
  /** Moves what a pipe or file holds at most, without a copy through this process. Gives the bytes, 0 at its end. */
  readonly move: (fd: number, bytes: number) => Promise<number>;
  /** Waits until all is in the output. Must be called, also after a failure, which it then passes over. */
  readonly end: () => Promise<void>;
}

/** Starts a program that puts a frame at the output's end. */
export async function openCompressor(
  output: ArchiveOutput,
  command: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Compressor> {
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
  const explained = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      // It has ended, which breaks the pipe: its own words tell why.
      await end();
      throw error;
    }
  };
  return {
    put: (bytes) => explained(writeAll(fd, bytes, null)),
    move: (from, bytes) => explained(moveBytes(from, fd, bytes)),
    end,
  };
}
