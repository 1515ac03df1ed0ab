import type { FileHandle } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { bytesRead, sizeTold } from '../../archive/zstd-frame.ts';
import { CryopodError, fail } from '../../model/errors.ts';
import { failRun, type RunResult, run } from '../../system/process.ts';
import type { Channel } from '../../wire/wire.ts';

/** Level 1: the fastest; processes wait for it (archive/frames.ts tells how it compares). At its end it says how much it has read. */
const PACK = ['zstd', '-1', '-T0', '-vv', '--no-progress', '-c'];
/** Its limit of 128 MiB for a frame's window bounds its memory. */
const UNPACK = ['zstd', '--decompress', '--stdout', '--quiet'];

/** Milliseconds between looks at how far the program is. */
const POLL_MS = 100;

/**
 * Lets a program compress what a descriptor gives up to its end, as one part of a channel: the bytes themselves do not pass
 * through this process. `progress` is told now and then about how many were read. Gives how many there were. Errors: those of the
 * wire, PROGRAM_FAILED, PROGRAM_MISSING.
 */
export async function packFrom(
  fd: number,
  channel: Channel,
  progress: (bytes: number) => void,
): Promise<number> {
  const stopping = new AbortController();
  let passing: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  const result = await run(PACK, {
    input: fd,
    stdout: 'stream',
    signal: stopping.signal,
    onSpawn: ({ pid, stdout }) => {
      timer = setInterval(() => progress(bytesRead(pid)), POLL_MS);
      passing = passOn(stdout, channel);
      passing.catch(() => stopping.abort());
    },
  });
  clearInterval(timer);
  await passing;
  if (!result.ok) failRun(result, 'compress what is sent');
  await channel.end();
  return sizeTold(result, 'what is sent');
}

async function passOn(output: Readable | null, channel: Channel): Promise<void> {
  if (output === null) return;
  for await (const bytes of output as AsyncIterable<Buffer>) await channel.write(bytes);
}

const writeTo = (input: Writable, bytes: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) => {
    input.write(bytes, (error) => (error ? reject(error) : resolve()));
  });

/** A program that is fed with one part of a channel. */
interface Unpacking {
  readonly ended: Promise<RunResult>;
  readonly fed: Promise<void>;
  readonly stop: () => void;
}

/** `onOutput` gets what comes out, where `output` is no descriptor that takes it. */
function unpack(
  channel: Channel,
  command: readonly string[],
  output: number | 'stream',
  onOutput: (output: Readable | null) => void = () => undefined,
): Unpacking {
  const stopping = new AbortController();
  const feeding = Promise.withResolvers<void>();
  feeding.promise.catch(() => stopping.abort());
  const ended = run(command, {
    stdin: 'pipe',
    stdout: output,
    signal: stopping.signal,
    onSpawn: ({ stdin, stdout }) => {
      onOutput(stdout);
      feed(channel, stdin).then(feeding.resolve, feeding.reject);
    },
  }).finally(() => feeding.resolve());
  return { ended, fed: feeding.promise, stop: () => stopping.abort() };
}

async function feed(channel: Channel, input: Writable | null): Promise<void> {
  // A program that has ended breaks the pipe: how it ended tells the story.
  input?.on('error', () => undefined);
  for (let part = await channel.read(); part !== undefined; part = await channel.read()) {
    if (input !== null) await writeTo(input, part);
  }
  input?.end();
}

/** Fails unless all came and was sound. */
async function checkUnpacked({ ended, fed }: Unpacking): Promise<void> {
  const [result, feeding] = [await ended, (await Promise.allSettled([fed]))[0]];
  // The link's end tells more than that of the program.
  if (feeding.status === 'rejected' && feeding.reason instanceof CryopodError) throw feeding.reason;
  if (result.ok && feeding.status === 'fulfilled') return;
  throw new CryopodError('ARCHIVE_INVALID', {
    message: `what came is not compressed soundly: ${result.stderr.trim() || `zstd ended with ${result.signal ?? result.code}`}`,
  });
}

/**
 * Writes one part of a channel into an empty file, uncompressed, at most so many bytes. Gives how many. Fails with ARCHIVE_INVALID for
 * what is not compressed soundly, with NO_SPACE.
 */
export async function unpackInto(channel: Channel, file: FileHandle, most: number): Promise<number> {
  // One more, which tells too much from just enough.
  const limited = ['prlimit', `--fsize=${most + 1}`, '--', ...UNPACK];
  const unpacking = unpack(channel, limited, file.fd);
  try {
    const { stderr } = await unpacking.ended;
    const { size } = await file.stat();
    if (size > most) {
      fail('NO_SPACE', {
        message: `what comes takes more than the ${most} bytes that may be used`,
        hint: 'Make room on the file system that the container is unpacked to.',
      });
    }
    if (DISK_FULL.test(stderr)) fail('NO_SPACE', { message: `could not write what comes: ${stderr.trim()}` });
    await checkUnpacked(unpacking);
    return size;
  } finally {
    unpacking.stop();
  }
}

/** strerror(3) of ENOSPC and EDQUOT, as the clean environment of programs has it. */
const DISK_FULL = /No space left on device|Disk quota exceeded/;

/** One part of a channel, uncompressed. Fails with ARCHIVE_INVALID for what is not compressed soundly. */
export async function* unpacked(channel: Channel): AsyncGenerator<Buffer> {
  let output: Readable | null = null;
  const unpacking = unpack(channel, UNPACK, 'stream', (stream) => {
    output = stream;
  });
  try {
    if (output !== null) yield* output as AsyncIterable<Buffer>;
    await checkUnpacked(unpacking);
  } finally {
    unpacking.stop();
  }
}
