import { closeSync } from 'node:fs';
import { fail } from '../model/errors.ts';
import { makePipe, type Pipe } from '../system/libc.ts';
import { failRun, type RunResult, run } from '../system/process.ts';
import { sha256Command, sha256Result } from '../system/sha256.ts';
import { type Compression, decompressor } from './compression.ts';

export interface ExtractRequest {
  /** The blob, at offset 0. */
  readonly fd: number;
  readonly compression: Compression;
  /** Names the blob in errors. */
  readonly what: string;
  /** An empty directory that nobody else writes to. */
  readonly diff: string;
  readonly signal?: AbortSignal | undefined;
}

export interface Extracted {
  /** Digest of the uncompressed stream, with `sha256:`. */
  readonly diffId: string;
  /** Its bytes. */
  readonly size: number;
}

/**
 * GNU tar, restoring all that a layer can hold. Without --absolute-names it takes leading slashes off, refuses `..`,
 * and makes links that point elsewhere only after all else, so that nothing is written through them. Attributes of
 * overlayfs must not come from a layer: they would change what the stack of layers shows.
 */
const TAR = [
  'tar',
  '--extract',
  '--file=-',
  '--numeric-owner',
  '--same-owner',
  '--preserve-permissions',
  '--delay-directory-restore',
  '--xattrs',
  '--xattrs-include=*',
  '--xattrs-exclude=trusted.overlay.*',
  '--warning=no-unknown-keyword',
  '--warning=no-timestamp',
];

/** For directories that a layer does not list although it has something in them. */
const UMASK = 0o022;

/**
 * Unpacks a layer stream: blob → decompressor → tee → tar, with a hash and a byte count beside, all child programs with
 * pipes between them. Fails with IMAGE_INVALID, NO_SPACE or INTERRUPTED; `diff` is then in no defined state.
 */
export async function extract(request: ExtractRequest): Promise<Extracted> {
  const pipes: Pipes = {
    plain: await makePipe(),
    toTar: await makePipe(),
    toHash: await makePipe(),
    toCount: await makePipe(),
  };
  // run() has started its program when it returns: from then on each end of a pipe belongs to the children alone.
  const children = start(request, pipes);
  for (const { read, write } of Object.values(pipes)) {
    closeSync(read);
    closeSync(write);
  }
  const [decompress, tee, tar, hash, count] = await Promise.all(children);
  if (request.signal?.aborted === true) {
    fail('INTERRUPTED', { message: `unpacking ${request.what} was interrupted` });
  }
  for (const result of [decompress, tee, tar]) if (result !== undefined) checkStage(result, request.what);
  const doing = `unpack ${request.what}`;
  const diffId = `sha256:${sha256Result(hash, doing)}`;
  return count.ok ? { diffId, size: Number(count.stdout) } : failRun(count, doing);
}

interface Pipes {
  readonly plain: Pipe;
  readonly toTar: Pipe;
  readonly toHash: Pipe;
  readonly toCount: Pipe;
}

type Children = readonly [
  Promise<RunResult> | undefined,
  Promise<RunResult>,
  Promise<RunResult>,
  Promise<RunResult>,
  Promise<RunResult>,
];

function start({ fd, compression, diff, signal }: ExtractRequest, pipes: Pipes): Children {
  const program = decompressor(compression);
  return [
    program === undefined ? undefined : run(program, { input: fd, stdout: pipes.plain.write, signal }),
    // The hash must see the whole stream, also what tar leaves unread after its end marker.
    run(['tee', '--output-error=warn-nopipe', '/dev/fd/3', '/dev/fd/4'], {
      input: program === undefined ? fd : pipes.plain.read,
      stdout: pipes.toTar.write,
      extraFds: [pipes.toHash.write, pipes.toCount.write],
      signal,
    }),
    withUmask(() => run([...TAR, `--directory=${diff}`], { input: pipes.toTar.read, signal })),
    run(sha256Command(), { input: pipes.toHash.read, signal }),
    run(['wc', '--bytes'], { input: pipes.toCount.read, signal }),
  ];
}

function withUmask<T>(start: () => T): T {
  const old = process.umask(UMASK);
  try {
    return start();
  } finally {
    process.umask(old);
  }
}

function checkStage(result: RunResult, what: string): void {
  if (result.ok) return;
  const program = result.command[0] ?? '';
  if (result.missing) failRun(result, `unpack ${what}`);
  const output = result.stderr.trim().split('\n').slice(0, 5).join('; ');
  const code = /No space left on device|Disk quota exceeded/.test(output) ? 'NO_SPACE' : 'IMAGE_INVALID';
  fail(code, { message: `could not unpack ${what}: ${program} says: ${output}` });
}
