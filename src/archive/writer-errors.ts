import { CryopodError, errnoOf, fail, messageOf } from '../model/errors.ts';
import { failRun, type RunResult } from '../system/process.ts';

const FULL = new Set(['ENOSPC', 'EDQUOT']);
/** The same in the words of programs, which run in the C locale. */
const FULL_WORDS = /No space left on device|Disk quota exceeded/;

/** Where bytes go, for errors. */
export interface Place {
  /** Completes "could not write …". */
  readonly what: string;
  /** Bytes that it has taken so far. */
  readonly bytes: number;
}

/** Turns a failed write of this process into the error that names its target. Errors that have a name already pass. */
export function failWrite(error: unknown, place: Place): never {
  if (error instanceof CryopodError) throw error;
  const errno = errnoOf(error);
  if (errno !== undefined && FULL.has(errno)) failFull(place, error);
  if (errno === 'EPIPE') failReaderGone(place);
  return fail('ARCHIVE_FAILED', {
    message: `could not write ${place.what}: ${messageOf(error)}`,
    cause: error,
  });
}

/** The same for a program that did not come to its end. */
export function failWriter(result: RunResult, place: Place, signal: AbortSignal | undefined): never {
  if (signal?.aborted === true) failInterrupted(place);
  if (FULL_WORDS.test(result.stderr)) failFull(place, undefined);
  if (result.signal === 'SIGPIPE' || /Broken pipe/.test(result.stderr)) failReaderGone(place);
  return failRun(result, `write ${place.what}`);
}

/** An archive that is whole and has its name, whose directory could not be written to disk. */
export const failNamed = (error: unknown, name: string): never =>
  fail('ARCHIVE_FAILED', {
    message: `could not write the directory of ${name} to disk: ${messageOf(error)}; the archive is complete`,
    hint: 'Look at the disk: after a power cut the archive may be gone.',
    cause: error,
  });

export const failInterrupted = ({ what }: Pick<Place, 'what'>): never =>
  fail('INTERRUPTED', { message: `interrupted: ${what} was not completed` });

/** A file that has not the size it had when it was opened. */
export const failChanged = (path: string): never =>
  fail('ARCHIVE_FAILED', { message: `${path} changed while it was put into the archive` });

function failFull({ what, bytes }: Place, cause: unknown): never {
  fail('NO_SPACE', {
    message: `could not write ${what}: its file system is full after ${bytes} bytes`,
    hint: 'Free space on it, or choose a place on another file system.',
    cause,
  });
}

function failReaderGone({ what, bytes }: Place): never {
  fail('ARCHIVE_FAILED', {
    message: `could not write ${what}: its reader has ended after ${bytes} bytes`,
    hint: 'The program that reads the archive must read it to its end.',
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  EISDIR: 'is a directory',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'read-only file system',
  ENAMETOOLONG: 'file name too long',
  EBADF: 'not open for writing',
  ENXIO: 'no such device or address',
};

/** A target that cannot be opened, in the words of podman: `open PATH: no such file or directory`. */
export function failTarget(error: unknown, path: string, hint: string): never {
  if (error instanceof CryopodError) throw error;
  const errno = errnoOf(error) ?? '';
  if (FULL.has(errno)) failFull({ what: `the archive ${path}`, bytes: 0 }, error);
  fail('USAGE', { message: `open ${path}: ${REASONS[errno] ?? messageOf(error)}`, hint, cause: error });
}
