import type { ChildProcess } from 'node:child_process';
import type { Writable } from 'node:stream';
import { CryopodError } from '../../model/errors.ts';
import { failRun, type RunResult, run } from '../../system/process.ts';
import type { Channel } from '../../wire/wire.ts';

/** Level 1: the fastest; processes wait for it (archive/frames.ts tells how it compares). */
const PACK = ['zstd', '-1', '-T0', '-q', '-c'];
/** Its limit of 128 MiB for a frame's window bounds its memory. */
const UNPACK = ['zstd', '--decompress', '--stdout', '--quiet'];

/** A program between two ends, fed and read without a thread that waits for it. */
interface Filter {
  readonly input: Writable;
  readonly output: AsyncIterable<Buffer>;
  readonly ended: Promise<RunResult>;
  /** Ends it at once. */
  readonly stop: () => void;
}

async function openFilter(command: readonly string[]): Promise<Filter> {
  const stopping = new AbortController();
  const started = Promise.withResolvers<Pick<Filter, 'input' | 'output'>>();
  const ended = run(command, {
    stdin: 'pipe',
    stdout: 'stream',
    signal: stopping.signal,
    onSpawn: ({ stdin, stdout }: ChildProcess) => {
      if (stdin !== null && stdout !== null) started.resolve({ input: stdin, output: stdout });
    },
  });
  const first = await Promise.race([started.promise, ended]);
  if (!('input' in first)) return failRun(first, 'compress what is sent');
  // A program that has ended breaks the pipe: how it ended tells the story.
  first.input.on('error', () => undefined);
  return { ...first, ended, stop: () => stopping.abort() };
}

const writeTo = (input: Writable, bytes: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) => {
    input.write(bytes, (error) => (error ? reject(error) : resolve()));
  });

/** Compresses one part of a channel on its way. `end` ends the part. */
export async function openPacker(channel: Channel): Promise<Pick<Channel, 'write' | 'end'>> {
  const filter = await openFilter(PACK);
  const passing = (async () => {
    for await (const bytes of filter.output) await channel.write(bytes);
  })().catch((error: unknown) => {
    filter.stop();
    throw error;
  });
  passing.catch(() => undefined);
  return {
    write: async (bytes) => {
      try {
        await writeTo(filter.input, bytes);
      } catch (error) {
        await passing;
        throw error;
      }
    },
    end: async () => {
      filter.input.end();
      await passing;
      const result = await filter.ended;
      if (!result.ok) failRun(result, 'compress what is sent');
      await channel.end();
    },
  };
}

/** One part of a channel, uncompressed. Fails with ARCHIVE_INVALID for what is not compressed soundly. */
export async function* unpacked(channel: Channel): AsyncGenerator<Buffer> {
  const filter = await openFilter(UNPACK);
  const feeding = (async () => {
    for (let part = await channel.read(); part !== undefined; part = await channel.read()) {
      await writeTo(filter.input, part);
    }
    filter.input.end();
  })();
  feeding.catch(() => filter.stop());
  try {
    yield* filter.output;
    const result = await filter.ended;
    const [fed] = await Promise.allSettled([feeding]);
    // The link's end tells more than that of the program.
    if (fed.status === 'rejected' && fed.reason instanceof CryopodError) throw fed.reason;
    if (!result.ok || fed.status === 'rejected') {
      throw new CryopodError('ARCHIVE_INVALID', {
        message: `what came is not compressed soundly: ${result.stderr.trim() || `zstd ended with ${result.signal ?? result.code}`}`,
      });
    }
  } finally {
    filter.stop();
  }
}
