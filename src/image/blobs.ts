import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, chmod, copyFile, type FileHandle, link, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, fail } from '../model/errors.ts';
import { publish, syncPath, tempBeside, writeDurable } from '../system/durable.ts';
import { sha256OfFd } from '../system/sha256.ts';
import { blobsDirectory, type StorePaths } from '../system/store-paths.ts';

const DIGEST = /^sha256:([0-9a-f]{64})$/;

/** The hexadecimal part of a sha256 digest. Fails with IMAGE_INVALID for anything else: it ends up in a path. */
export function digestHex(digest: string): string {
  return DIGEST.exec(digest)?.[1] ?? fail('IMAGE_INVALID', { message: `not a sha256 digest: "${digest}"` });
}

export const blobPath = (store: StorePaths, digest: string): string =>
  join(blobsDirectory(store), digestHex(digest));

export async function hasBlob(store: StorePaths, digest: string): Promise<boolean> {
  return exists(blobPath(store, digest));
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** SHA-256 of bytes, as a digest. For small things such as manifests. */
export const digestOf = (content: string | Uint8Array): string =>
  `sha256:${createHash('sha256').update(content).digest('hex')}`;

/** SHA-256 of a file, as a digest, by a child program. */
export async function digestOfFile(path: string, signal?: AbortSignal): Promise<string> {
  const file = await openRegular(path);
  try {
    return `sha256:${await sha256OfFd(file.fd, path, signal)}`;
  } finally {
    await file.close();
  }
}

/** Opens a regular file for reading; a symbolic link or a special file fails with IMAGE_INVALID. */
export async function openRegular(path: string): Promise<FileHandle> {
  let file: FileHandle;
  try {
    // Without O_NONBLOCK a FIFO in the place of a blob would hang the open.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) !== 'ELOOP' && errnoOf(error) !== 'ENXIO') throw error;
    return fail('IMAGE_INVALID', { message: `${path} is not a regular file`, cause: error });
  }
  if ((await file.stat()).isFile()) return file;
  await file.close();
  return fail('IMAGE_INVALID', { message: `${path} is not a regular file` });
}

/** A small file of untrusted size. Fails with IMAGE_INVALID beyond `limit` bytes. */
export async function readCapped(path: string, limit: number): Promise<Buffer> {
  const file = await openRegular(path);
  try {
    if ((await file.stat()).size > limit) {
      fail('IMAGE_INVALID', { message: `${path} is larger than the ${limit} bytes allowed` });
    }
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** The text of a small blob of the store. Fails with IMAGE_FAILED where it is missing. */
export async function readBlob(store: StorePaths, digest: string, limit: number): Promise<string> {
  try {
    return (await readCapped(blobPath(store, digest), limit)).toString('utf8');
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return fail('IMAGE_FAILED', {
      message: `the image store lacks the blob ${digest}`,
      hint: 'Remove the image with --force and pull or load it again.',
      cause: error,
    });
  }
}

export interface PutOptions {
  /** Moves the file (it must lie on the store's file system and be ours alone) instead of copying it. */
  readonly move: boolean;
  /** The digest was already checked by who wrote the file. */
  readonly verified: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Puts a file into the store under its digest. Idempotent, atomic and durable. Fails with IMAGE_INVALID where the
 * content has another digest.
 */
export async function putBlobFile(
  store: StorePaths,
  digest: string,
  path: string,
  options: PutOptions,
): Promise<void> {
  const target = blobPath(store, digest);
  await mkdir(blobsDirectory(store), { recursive: true, mode: 0o700 });
  if (await exists(target)) {
    if (options.move) await rm(path, { force: true });
    return;
  }
  const temp = tempBeside(target);
  try {
    await takeFile(path, temp, options);
    if (!options.verified) await verify(temp, digest, options.signal);
    await syncPath(temp);
    await publish(temp, target);
  } catch (error) {
    await rm(temp, { force: true });
    throw error;
  }
}

/** A copy is checked after it was made, so that no one can change it in between. */
async function takeFile(path: string, temp: string, options: PutOptions): Promise<void> {
  const source = await openRegular(path);
  try {
    if (options.move) {
      await link(path, temp);
      await rm(path);
    } else {
      // A clone where the file system can, else copied by the kernel: the bytes do not pass through JavaScript.
      await copyFile(
        `/proc/self/fd/${source.fd}`,
        temp,
        constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE,
      );
    }
    await chmod(temp, 0o600);
  } finally {
    await source.close();
  }
}

async function verify(path: string, digest: string, signal: AbortSignal | undefined): Promise<void> {
  const actual = await digestOfFile(path, signal);
  if (actual === digest) return;
  fail('IMAGE_INVALID', { message: `a blob that should be ${digest} is ${actual}: the image is damaged` });
}

/** Puts small content (a manifest, a config) into the store and returns its digest. Idempotent, durable. */
export async function putBlobContent(store: StorePaths, content: string): Promise<string> {
  const digest = digestOf(content);
  await mkdir(blobsDirectory(store), { recursive: true, mode: 0o700 });
  const path = blobPath(store, digest);
  if (!(await exists(path))) await writeDurable(path, content);
  return digest;
}
