import { closeSync, fstatSync, read, readFileSync, readSync, writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { isatty } from 'node:tty';
import { promisify } from 'node:util';
import { errnoOf, fail, messageOf } from '../model/errors.ts';
import { enlargePipe, makePipe } from '../system/libc.ts';
import { failRun, type RunOptions, type RunResult, run } from '../system/process.ts';
import type { ArchiveCompression } from './members.ts';
import type { ArchiveSource, Stored } from './types.ts';

/** Bytes, part by part. */
export interface ByteSource {
  /** The next part, valid until the next call; undefined at the end. One call at a time. */
  readonly next: () => Promise<Buffer | undefined>;
  /** How far the source was read; undefined where it is no regular file. */
  readonly stored?: (() => Stored | undefined) | undefined;
  /** What it gives was held against the check of its frame (XXH64, CRC-32) once the archive's end is sound. */
  readonly isChecked?: boolean | undefined;
}

/** The uncompressed bytes of an archive. */
export interface OpenArchive extends ByteSource {
  readonly compression: ArchiveCompression;
  /** All bytes were read, or the programs stopped giving any. */
  readonly hasEnded: () => boolean;
  /** For use after the end: fails where the programs before it did not come to theirs in a good way. */
  readonly checkEnd: () => Promise<void>;
  /** Ends the programs and closes everything but the descriptor that came as source. Idempotent. */
  readonly close: () => Promise<void>;
}

/** open(2): a handle that neither reads nor waits for a FIFO's writer. The same number on x86-64 and arm64. */
const O_PATH = 0o10000000;
const PIPE_BYTES = 1 << 20;
const HEAD_BYTES = 8;

/** Leading bytes in hexadecimal: RFC 8878 with its skippable frames, RFC 1952, and the documents of xz and bzip2. */
const MAGIC: readonly (readonly [pattern: RegExp, compression: ArchiveCompression | 'xz' | 'bzip2'])[] = [
  [/^28b52ffd/, 'zstd'],
  [/^5.2a4d18/, 'zstd'],
  [/^1f8b/, 'gzip'],
  [/^fd377a585a00/, 'xz'],
  [/^425a68/, 'bzip2'],
];

/**
 * zstd reads gzip too, several times as fast as gzip does. Without `--force` it refuses what follows the last frame
 * instead of passing it on. Its limit of 128 MiB for a frame's window bounds its memory.
 */
const DECOMPRESS = ['zstd', '--decompress', '--stdout', '--quiet'];

/** Names the source in errors. */
export const describeSource = (source: ArchiveSource): string =>
  'path' in source ? source.path : 'standard input';

export const failInterrupted = (what: string, cause: unknown): never =>
  fail('INTERRUPTED', { message: `reading ${what} was interrupted`, cause });

/**
 * Opens an archive, whatever its suffix says: a file, a pipe, a FIFO, an open descriptor from its offset on. Symbolic
 * links are followed. Fails with USAGE (nothing there to read), ARCHIVE_INVALID (empty, or compressed in a way that no
 * archive is), PROGRAM_MISSING, INTERRUPTED.
 */
export async function openArchive(
  source: ArchiveSource,
  signal: AbortSignal | undefined,
): Promise<OpenArchive> {
  const what = describeSource(source);
  const chain = programChain(what, signal);
  try {
    const file = 'path' in source ? await openFile(source.path) : undefined;
    if (file !== undefined) chain.own(file);
    if (file !== undefined && fstatSync(file.fd).isFile()) return await openRegular(chain, what, file);
    return await openStream(chain, what, await streamOf(chain, source, file));
  } catch (error) {
    await chain.close();
    if (signal?.aborted === true) failInterrupted(what, error);
    throw error;
  }
}

/** A regular file for reading; of anything else only a handle, which waits for nobody. */
async function openFile(path: string): Promise<FileHandle> {
  const handle = await explained(path, () => open(path, O_PATH));
  let isKept = false;
  try {
    const stat = await handle.stat();
    if (stat.isDirectory()) fail('USAGE', { message: `${path} is a directory, not an archive` });
    if (stat.isFile()) return await explained(path, () => open(`/proc/self/fd/${handle.fd}`, 'r'));
    isKept = true;
    return handle;
  } finally {
    if (!isKept) await handle.close();
  }
}

async function explained<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const why = errnoOf(error) === 'ENOENT' ? 'no such file or directory' : messageOf(error);
    return fail('USAGE', { message: `open ${path}: ${why}`, cause: error });
  }
}

async function openRegular(chain: ProgramChain, what: string, file: FileHandle): Promise<OpenArchive> {
  const head = Buffer.alloc(HEAD_BYTES);
  const compression = compressionOf(head.subarray(0, readSync(file.fd, head, 0, HEAD_BYTES, 0)), what);
  const fd = compression === 'none' ? file.fd : await chain.add(DECOMPRESS, { input: file.fd });
  return opened(chain, compression, fd, file.fd);
}

/** The descriptor of something that is no regular file. A FIFO is opened by a program, which can be ended while it waits. */
async function streamOf(
  chain: ProgramChain,
  source: ArchiveSource,
  file: FileHandle | undefined,
): Promise<number> {
  if (file !== undefined) return chain.add(['cat', '/dev/fd/3'], { extraFds: [file.fd] });
  const fd = 'fd' in source ? source.fd : fail('INTERNAL', { message: 'a path was not opened' });
  if (isatty(fd)) {
    fail('USAGE', {
      message: 'standard input is a terminal, not an archive',
      hint: 'Give the path of the archive, or pipe it in.',
    });
  }
  return fd;
}

/** The first bytes of a stream cannot be put back: a program gives them again before the rest. */
async function openStream(chain: ProgramChain, what: string, input: number): Promise<OpenArchive> {
  const dump = ['od', '-A', 'n', '-v', '-t', 'x1', '-N', String(HEAD_BYTES)];
  const result = await run(dump, { input, newSession: true, signal: chain.signal });
  if (!result.ok) failRun(result, `read ${what}`);
  const head = Buffer.from(result.stdout.replace(/\s/g, ''), 'hex');
  if (head.length === 0) await chain.check();
  const compression = compressionOf(head, what);
  const headPipe = await makePipe();
  writeSync(headPipe.write, head);
  closeSync(headPipe.write);
  try {
    const whole = await chain.add(['cat', '/dev/fd/3', '-'], { input, extraFds: [headPipe.read] });
    return opened(
      chain,
      compression,
      compression === 'none' ? whole : await chain.add(DECOMPRESS, { input: whole }),
      input,
    );
  } finally {
    closeSync(headPipe.read);
  }
}

function compressionOf(head: Buffer, what: string): ArchiveCompression {
  if (head.length === 0) fail('ARCHIVE_INVALID', { message: `${what} is empty, not a checkpoint archive` });
  const hex = head.toString('hex');
  const compression = MAGIC.find(([pattern]) => pattern.test(hex))?.[1] ?? 'none';
  if (compression !== 'xz' && compression !== 'bzip2') return compression;
  return fail('ARCHIVE_INVALID', {
    message: `${what} is compressed with ${compression}, which no checkpoint archive is`,
    hint: `Decompress it with ${compression} --decompress, if it is one nevertheless.`,
  });
}

function opened(
  chain: ProgramChain,
  compression: ArchiveCompression,
  fd: number,
  sourceFd: number,
): OpenArchive {
  const parts = partReader(fd);
  return {
    compression,
    isChecked: compression !== 'none',
    next: parts.next,
    stored: () => storedOf(sourceFd),
    hasEnded: parts.hasEnded,
    checkEnd: chain.check,
    close: async () => {
      chain.end();
      // The descriptor must not be closed while a thread reads from it.
      await parts.settle();
      await chain.close();
    },
  };
}

/** The programs read the file with this very descriptor's position (proc_pid_fdinfo(5), pos). */
function storedOf(fd: number): Stored | undefined {
  const stat = fstatSync(fd);
  if (!stat.isFile()) return undefined;
  const [, position] = /^pos:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')) ?? [];
  return { bytes: Math.min(Number(position), stat.size), totalBytes: stat.size };
}

const readDescriptor = promisify(read);

interface PartReader extends ByteSource, Pick<OpenArchive, 'hasEnded'> {
  /** Waits for the reading that is under way. */
  readonly settle: () => Promise<unknown>;
}

/** Reads into two buffers in turn, one part ahead. */
function partReader(fd: number): PartReader {
  const buffers = [Buffer.allocUnsafeSlow(PIPE_BYTES), Buffer.allocUnsafeSlow(PIPE_BYTES)] as const;
  let turn: 0 | 1 = 0;
  let pending: Promise<{ readonly bytesRead: number }> | undefined;
  let ended = false;
  const begin = () => {
    pending = readDescriptor(fd, buffers[turn], 0, PIPE_BYTES, null);
    // Awaited by the next call, which may never come.
    pending.catch(() => undefined);
    return pending;
  };
  return {
    next: async () => {
      if (ended) return undefined;
      const { bytesRead } = await (pending ?? begin());
      ended = bytesRead === 0;
      if (ended) return undefined;
      const part = buffers[turn].subarray(0, bytesRead);
      turn = turn === 0 ? 1 : 0;
      begin();
      return part;
    },
    hasEnded: () => ended,
    settle: async () => pending?.catch(() => undefined),
  };
}

interface ProgramChain {
  readonly signal: AbortSignal;
  /** Closes it with the chain. */
  readonly own: (file: FileHandle) => void;
  /** Starts a program and returns the descriptor that its output comes from. */
  readonly add: (command: readonly string[], options: RunOptions) => Promise<number>;
  /** Waits for the programs' own end; fails where one of them failed. */
  readonly check: () => Promise<void>;
  /** Ends the programs. */
  readonly end: () => void;
  readonly close: () => Promise<void>;
}

/** Programs, each reading what the one before it writes. */
function programChain(what: string, outer: AbortSignal | undefined): ProgramChain {
  const ending = new AbortController();
  const signal = outer === undefined ? ending.signal : AbortSignal.any([outer, ending.signal]);
  const programs: Promise<RunResult>[] = [];
  const descriptors: number[] = [];
  const files: FileHandle[] = [];
  return {
    signal,
    own: (file) => files.push(file),
    add: async (command, options) => {
      const pipe = await makePipe();
      descriptors.push(pipe.read);
      await enlargePipe(pipe.read, PIPE_BYTES);
      // Signals from the terminal end them through `signal`, so that they are not taken for failures.
      const program = run(command, { ...options, stdout: pipe.write, newSession: true, signal });
      program.catch(() => undefined);
      programs.push(program);
      closeSync(pipe.write);
      return pipe.read;
    },
    check: async () => {
      // The last first: where it has failed, those before it may still wait for a source that sends nothing.
      for (const program of programs.toReversed()) checkResult(await program, what);
    },
    end: () => ending.abort(),
    close: async () => {
      ending.abort();
      await Promise.allSettled(programs);
      for (const fd of descriptors.splice(0)) closeSync(fd);
      for (const file of files.splice(0)) await file.close();
    },
  };
}

function checkResult(result: RunResult, what: string): void {
  // A program whose reader has failed; that one is reported.
  if (result.ok || result.signal === 'SIGPIPE') return;
  if (result.missing || result.command[0] !== DECOMPRESS[0]) failRun(result, `read ${what}`);
  const words = result.stderr
    .trim()
    .replace(/^.*\/\*stdin\*\\\s*:\s*/gm, '')
    .split('\n')
    .join('; ');
  fail('ARCHIVE_INVALID', {
    message: `${what} cannot be decompressed: ${words || `zstd ended with ${result.signal ?? result.code}`}`,
    hint: 'The archive is damaged or incomplete: copy it again, or make the checkpoint again.',
  });
}
