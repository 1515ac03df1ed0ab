import { type FileHandle, open, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, fail, isCryopodError } from '../model/errors.ts';
import { runOk } from '../system/process.ts';
import { type Compression, decompressor, detectCompression } from './compression.ts';

/** Data to read: a path, or an open file or pipe such as standard input. */
export type InputSource = { readonly path: string } | { readonly fd: number };

/** A regular file, open for reading, whose offset nobody relies on. */
export interface SpooledFile {
  readonly file: FileHandle;
  /** Without symbolic links. */
  readonly path: string;
  /** The file was made here and may be moved away. */
  readonly ours: boolean;
  readonly compression: Compression;
}

/** Names the source in errors. */
export const describeSource = (source: InputSource): string =>
  'path' in source ? source.path : 'standard input';

/**
 * Opens a source for reading several times: a file as it is, a descriptor after its rest was written to `scratch`. The
 * caller closes it. Fails with USAGE where the path leads to no file.
 */
export async function spool(
  source: InputSource,
  scratch: string,
  signal: AbortSignal | undefined,
): Promise<SpooledFile> {
  const special = 'path' in source ? await specialFile(source.path) : undefined;
  if ('path' in source && special === undefined) {
    const path = await realpath(source.path);
    const file = await open(path, 'r');
    return { file, path, ours: false, compression: await detectCompression(file) };
  }
  const path = join(scratch, 'input');
  try {
    const file = await filterToFile(['cat'], 'fd' in source ? source.fd : (special?.fd ?? -1), path, signal);
    return { file, path, ours: true, compression: await detectCompression(file) };
  } finally {
    await special?.close();
  }
}

/** A pipe or device that stands in the place of a file (`/dev/stdin`), open; undefined for regular files. */
async function specialFile(path: string): Promise<FileHandle | undefined> {
  const file = await openSource(path);
  const stat = await file.stat();
  if (!stat.isFile() && !stat.isDirectory()) return file;
  await file.close();
  return stat.isFile() ? undefined : fail('USAGE', { message: `${path} is a directory, not an archive` });
}

async function openSource(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return fail('USAGE', { message: `${path}: no such file or directory`, cause: error });
  }
}

/** The uncompressed form of a spooled file: itself, or a new file at `path`. The caller closes both. */
export async function decompress(
  { file, compression }: Pick<SpooledFile, 'file' | 'compression'>,
  path: string,
  signal: AbortSignal | undefined,
): Promise<FileHandle> {
  const program = decompressor(compression);
  if (program === undefined) return file;
  try {
    return await filterToFile(program, file.fd, path, signal);
  } catch (error) {
    if (!isCryopodError(error, 'PROGRAM_FAILED')) throw error;
    return fail('IMAGE_INVALID', { message: error.message, cause: error });
  }
}

/** Runs a program from a file into a new private file at `path`, which comes back open at its start. */
async function filterToFile(
  command: readonly string[],
  input: number,
  path: string,
  signal: AbortSignal | undefined,
): Promise<FileHandle> {
  const target = await open(path, 'wx', 0o600);
  try {
    await runOk(command, `write ${path}`, { input, stdout: target.fd, signal });
  } finally {
    await target.close();
  }
  return open(path, 'r');
}
