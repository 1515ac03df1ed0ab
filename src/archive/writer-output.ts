import { constants, existsSync, fstatSync } from 'node:fs';
import { type FileHandle, open, realpath, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isatty } from 'node:tty';
import { errnoOf, fail } from '../model/errors.ts';
import { publish, tempBeside } from '../system/durable.ts';
import { run } from '../system/process.ts';
import type { ArchiveTarget } from './types.ts';
import {
  failInterrupted,
  failNamed,
  failTarget,
  failWrite,
  failWriter,
  type Place,
} from './writer-errors.ts';
import { writeAll } from './writer-pump.ts';

/** The compressed side of an archive under way: a file that grows at its end and can be patched before. */
export interface ArchiveOutput {
  /** Its offset is the end. Child programs may write to it. */
  readonly fd: () => number;
  /** For errors. */
  readonly place: () => Place;
  readonly append: (bytes: Uint8Array) => Promise<void>;
  /** Appends bytes that are known later; gives what puts them in. Nothing may be passed on meanwhile. */
  readonly reserve: (placeholder: Uint8Array) => Promise<(bytes: Uint8Array) => Promise<void>>;
  /** All so far is final: a pipe gets it now. */
  readonly passOn: () => Promise<void>;
  /** Everything has been written. Gives the bytes in all. */
  readonly finish: () => Promise<number>;
  readonly publish: () => Promise<void>;
  readonly discard: () => Promise<void>;
}

export interface OutputOptions {
  readonly target: ArchiveTarget;
  readonly scratch: string;
  readonly onTempFile?: ((path: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Opens the target. Fails with USAGE where it cannot be written, NO_SPACE, INTERRUPTED. */
export async function openOutput(options: OutputOptions): Promise<ArchiveOutput> {
  const { target } = options;
  const fd = 'fd' in target ? target.fd : descriptorOf(target.path);
  if (fd !== undefined) return openDescriptor(fd, options);
  if (!('path' in target)) return fail('INTERNAL', { message: 'an archive without a target' });
  const path = await followed(target.path);
  return (await isSpecial(path)) ? openSpecial(path, options) : openFile(path, target.path, options);
}

/** The number in a name of one of this process's own descriptors, which must not be replaced by a file. */
function descriptorOf(path: string): number | undefined {
  const full = resolve(path);
  if (full === '/dev/stdout') return 1;
  if (full === '/dev/stderr') return 2;
  const number = /^\/(?:dev|proc\/self)\/fd\/(\d+)$/.exec(full)?.[1];
  return number === undefined ? undefined : Number(number);
}

/** Where symbolic links lead, so that the file is replaced and not a link to it. */
async function followed(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    // Not there, or not to be reached: opening it will tell.
    return resolve(path);
  }
}

async function isSpecial(path: string): Promise<boolean> {
  try {
    const found = await stat(path);
    if (!found.isDirectory()) return !found.isFile();
  } catch {
    return false;
  }
  return fail('USAGE', {
    message: `open ${path}: is a directory`,
    hint: `Name a file in it, such as ${join(path, 'checkpoint.tar.zst')}.`,
  });
}

async function openFile(path: string, name: string, { onTempFile }: OutputOptions): Promise<ArchiveOutput> {
  const temp = tempBeside(path);
  onTempFile?.(temp);
  const directory = dirname(path);
  const file = await open(temp, 'wx', 0o600).catch((error: unknown) =>
    failTarget(
      error,
      name,
      errnoOf(error) === 'ENOENT'
        ? `Create the directory ${directory} first, or name a file in another one.`
        : `cryopod must be able to create files in ${directory}.`,
    ),
  );
  let isPublished = false;
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) await file.close();
    isOpen = false;
  };
  const segment = openSegment(file, `the archive ${name}`, 0);
  return {
    ...segment,
    passOn: async () => undefined,
    finish: async () => {
      await file.sync().catch((error: unknown) => failWrite(error, segment.place()));
      return segment.place().bytes;
    },
    publish: async () => {
      await close();
      await publish(temp, path).catch((error: unknown) => {
        isPublished = !existsSync(temp);
        if (isPublished) failNamed(error, name);
        failWrite(error, { what: name, bytes: 0 });
      });
      isPublished = true;
    },
    discard: async () => {
      await close();
      if (!isPublished) await rm(temp, { force: true });
    },
  };
}

type Segment = Pick<ArchiveOutput, 'fd' | 'place' | 'append' | 'reserve'>;

/** A file that holds an archive from byte `start` of it on. */
function openSegment(file: FileHandle, what: string, start: number): Segment {
  const size = (): number => fstatSync(file.fd).size;
  const place = (): Place => ({ what, bytes: start + size() });
  const append = (bytes: Uint8Array): Promise<void> =>
    writeAll(file.fd, bytes, null).catch((error: unknown) => failWrite(error, place()));
  return {
    fd: () => file.fd,
    place,
    append,
    reserve: async (placeholder) => {
      const at = size();
      await append(placeholder);
      return (bytes) => writeAll(file.fd, bytes, at).catch((error: unknown) => failWrite(error, place()));
    },
  };
}

/** A device or FIFO. Opening a FIFO waits for its reader. */
async function openSpecial(path: string, options: OutputOptions): Promise<ArchiveOutput> {
  const hint = 'Name a file, or something that can be written to.';
  const file = await openAsSoonAsRead(path, options).catch((error: unknown) => failTarget(error, path, hint));
  try {
    const output = await openPipe(file.fd, path, options);
    return {
      ...output,
      discard: async () => {
        await output.discard();
        await file.close();
      },
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

const RETRY_MS = 50;

/** A FIFO that nobody reads cannot be opened without waiting in a thread, which could not be interrupted. */
async function openAsSoonAsRead(path: string, { signal }: OutputOptions): Promise<FileHandle> {
  for (;;) {
    if (signal?.aborted === true) failInterrupted({ what: `the archive ${path}` });
    try {
      const probe = await open(path, constants.O_WRONLY | constants.O_NONBLOCK);
      try {
        // The same again, but waiting: programs that write to it take "try again" for a failure.
        return await open(`/proc/self/fd/${probe.fd}`, constants.O_WRONLY);
      } finally {
        await probe.close();
      }
    } catch (error) {
      if (errnoOf(error) !== 'ENXIO' || !(await stat(path)).isFIFO()) throw error;
    }
    await new Promise((next) => setTimeout(next, RETRY_MS));
  }
}

async function openDescriptor(fd: number, options: OutputOptions): Promise<ArchiveOutput> {
  const name = fd === 1 ? 'standard output' : `descriptor ${fd}`;
  try {
    fstatSync(fd);
  } catch (error) {
    failTarget(error, name, 'Redirect it into a file or a program.');
  }
  if (isatty(fd)) {
    fail('USAGE', {
      message: `${name} is a terminal, and an archive is not text`,
      hint: 'Redirect it into a file or a program, or name a file.',
    });
  }
  return openPipe(fd, name, options);
}

/** What was written so far is held in a nameless file, since headers are patched, and passed on member by member. */
async function openPipe(fd: number, name: string, options: OutputOptions): Promise<ArchiveOutput> {
  const what = `the archive to ${name}`;
  let passed = 0;
  let held = await openNameless(options.scratch, passed);
  const passOn = async (): Promise<void> => {
    const bytes = held.place().bytes - passed;
    if (bytes === 0) return;
    const result = await run(['cat'], {
      input: held.reader.fd,
      stdout: fd,
      newSession: true,
      signal: options.signal,
    });
    if (!result.ok) failWriter(result, { what, bytes: passed }, options.signal);
    passed += bytes;
    await held.close();
    held = await openNameless(options.scratch, passed);
  };
  return {
    fd: () => held.fd(),
    place: () => held.place(),
    append: (bytes) => held.append(bytes),
    reserve: (placeholder) => held.reserve(placeholder),
    passOn,
    finish: async () => {
      await passOn();
      return passed;
    },
    publish: async () => undefined,
    discard: () => held.close(),
  };
}

interface Nameless extends Segment {
  /** The same file, read from its beginning. */
  readonly reader: FileHandle;
  readonly close: () => Promise<void>;
}

async function openNameless(directory: string, start: number): Promise<Nameless> {
  const path = tempBeside(join(directory, 'archive'));
  const file = await open(path, 'wx', 0o600).catch((error: unknown) =>
    failWrite(error, { what: `${directory}, which holds parts of the archive`, bytes: start }),
  );
  const reader = await open(path, 'r');
  await rm(path);
  let isOpen = true;
  return {
    ...openSegment(file, `${directory}, which holds parts of the archive`, start),
    reader,
    close: async () => {
      if (!isOpen) return;
      isOpen = false;
      await file.close();
      await reader.close();
    },
  };
}
