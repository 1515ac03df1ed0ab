import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';

/** Bytes read from the end of a log: CRIU's errors stand there. */
const TAIL_BYTES = 64 * 1024;
const MAX_LINES = 10;

/**
 * The log of a failed dump or restore with its error lines, for an error's details; undefined when there is none.
 * CRIU marks them `Error (file.c:line): …` after a time stamp.
 */
export async function criuLogDetails(
  path: string,
): Promise<{ readonly path: string; readonly lines: readonly string[] } | undefined> {
  if (!existsSync(path)) return undefined;
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(Math.min(size, TAIL_BYTES)),
      0,
      undefined,
      start,
    );
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n');
    return { path, lines: lines.filter((line) => line.includes('Error (')).slice(-MAX_LINES) };
  } finally {
    await file.close();
  }
}
