import { closeSync, constants, fstatSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, fail } from '../model/errors.ts';

/** As the kernel's limit on symbolic links in one path (path_resolution(7)). */
const MAX_LINKS = 40;
/** More than any real passwd file; a container must not make cryopod read without end. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * The host path of `path` inside `rootfs`. Symbolic links are followed as a process chrooted to `rootfs` would follow
 * them, so that none leads out of it. Parts that do not exist are kept as they are.
 */
export function confinedPath(rootfs: string, path: string): string {
  const ahead = path.split('/').toReversed();
  const done: string[] = [];
  let links = 0;
  while (ahead.length > 0) {
    const part = ahead.pop();
    if (part === undefined || part === '' || part === '.') continue;
    if (part === '..') {
      done.pop();
      continue;
    }
    const target = linkTarget(join(rootfs, ...done, part));
    if (target === undefined) {
      done.push(part);
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) fail('USAGE', { message: `${path} in the container: too many symbolic links` });
    if (target.startsWith('/')) done.length = 0;
    ahead.push(...target.split('/').toReversed());
  }
  return join(rootfs, ...done);
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EINVAL' || errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** The text of a regular file inside `rootfs`, or undefined when there is none. Never waits on a FIFO or device. */
export function readConfined(rootfs: string, path: string): string | undefined {
  let fd: number;
  try {
    fd = openSync(
      confinedPath(rootfs, path),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY,
    );
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'ELOOP' || errno === 'ENXIO') return undefined;
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    return stat.isFile() && stat.size <= MAX_BYTES ? readFileSync(fd, 'utf8') : undefined;
  } finally {
    closeSync(fd);
  }
}
