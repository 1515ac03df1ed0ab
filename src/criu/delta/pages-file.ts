import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { errnoOf, fail } from '../../model/errors.ts';

/** Bytes read at once. Two of these stay in a core's cache while they are compared. */
export const WINDOW_BYTES = 1 << 20;

/** A pages file, read forward. */
export interface PagesFile {
  /** Names the file whatever its path: two checkpoints may share it by hard links. */
  readonly identity: string;
  /** At most WINDOW_BYTES; valid until the next call. Fails with IMAGE_INVALID where the file ends early. */
  readonly read: (offset: number, length: number) => Buffer;
  readonly close: () => void;
}

/** Opens a pages file; neither a symbolic link nor anything but a regular file. Fails with IMAGE_INVALID. */
export function openPages(path: string): PagesFile {
  const fd = openRegular(path);
  const stat = fstatSync(fd, { bigint: true });
  if (!stat.isFile()) {
    closeSync(fd);
    fail('IMAGE_INVALID', { message: `${path} is not a regular file` });
  }
  let window: Buffer | undefined;
  let from = 0;
  let filled = 0;
  return {
    identity: `${stat.dev}:${stat.ino}`,
    read: (offset, length) => {
      window ??= Buffer.allocUnsafeSlow(WINDOW_BYTES);
      if (offset < from || offset + length > from + filled) {
        from = offset;
        filled = fill(fd, window, offset);
        if (filled < length) {
          fail('IMAGE_INVALID', {
            message: `the checkpoint is damaged: ${path} is shorter than its page map says`,
          });
        }
      }
      return window.subarray(offset - from, offset - from + length);
    },
    close: () => closeSync(fd),
  };
}

function openRegular(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) !== 'ELOOP') throw error;
    return fail('IMAGE_INVALID', { message: `${path} is a symbolic link` });
  }
}

function fill(fd: number, window: Buffer, offset: number): number {
  let filled = 0;
  while (filled < window.length) {
    const got = readSync(fd, window, filled, window.length - filled, offset + filled);
    if (got === 0) break;
    filled += got;
  }
  return filled;
}
