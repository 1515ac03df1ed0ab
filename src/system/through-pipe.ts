import { closeSync } from 'node:fs';
import { enlargePipe, makePipe } from './libc.ts';

/** Bytes that wait in the pipe: two programs then seldom wait for each other. */
const PIPE_BYTES = 1 << 20;

/**
 * Lets one program write into a pipe what another one reads. Each is given its end and returns when its program has
 * ended. Gives what the producer gave. When the consumer fails, that is the error; the producer then ended by it.
 */
export async function throughPipe<T>(
  produce: (fd: number) => Promise<T>,
  consume: (fd: number) => Promise<void>,
): Promise<T> {
  const pipe = await makePipe();
  await enlargePipe(pipe.read, PIPE_BYTES);
  const producing = (async () => produce(pipe.write))().finally(() => closeSync(pipe.write));
  const consuming = (async () => consume(pipe.read))().finally(() => closeSync(pipe.read));
  const [produced, consumed] = await Promise.allSettled([producing, consuming]);
  if (consumed.status === 'rejected') throw consumed.reason;
  if (produced.status === 'rejected') throw produced.reason;
  return produced.value;
}
