import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
} from 'node:fs';
import { errnoOf, fail } from '../model/errors.ts';

/** open(2): only a handle on the place, no access to the content. The same number on x86-64 and arm64. */
const O_PATH = 0o10000000;
/** As many symbolic links as the kernel follows in one path (path_resolution(7)). */
const MAX_LINKS = 40;

interface Place {
  /** Handles of the directories walked through and of the last name, as far as they exist; the first is the root. */
  readonly fds: number[];
  /** Names from the root; more than there are handles where the end of the path does not exist. */
  readonly names: string[];
}

interface ResolveOptions {
  /** False: a symbolic link as the last name is not followed. Default true. */
  readonly followLast?: boolean | undefined;
}

const split = (path: string): string[] => path.split('/').reverse();
const child = (directoryFd: number, name: string): string => `/proc/self/fd/${directoryFd}/${name}`;
const top = (place: Place): number =>
  place.fds.at(-1) ?? fail('INTERNAL', { message: 'a path walk lost its root' });
const missingNames = (place: Place): readonly string[] => place.names.slice(place.fds.length - 1);

function leaveTo(place: Place, depth: number): void {
  place.names.splice(depth);
  for (const fd of place.fds.splice(depth + 1)) closeSync(fd);
}

function tryOpen(path: string, flags: number): number | undefined {
  try {
    return openSync(path, flags);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    throw error;
  }
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    // Whoever works in the root file system replaced the link meanwhile: looked at again.
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'EINVAL') return undefined;
    throw error;
  }
}

/**
 * Walks `path` from `root` with a handle on each directory, so that no name is looked up twice and a link swapped
 * meanwhile by a process inside cannot lead out. What `use` gets is valid only during its call.
 */
function walk<T>(root: string, path: string, options: ResolveOptions, use: (place: Place) => T): T {
  if (path.includes('\0')) fail('USAGE', { message: `path ${JSON.stringify(path)} holds a NUL byte` });
  const place: Place = { fds: [openSync(root, O_PATH | constants.O_DIRECTORY)], names: [] };
  try {
    const pending = split(path);
    let turns = 0;
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        leaveTo(place, Math.max(place.names.length - 1, 0));
        continue;
      }
      const isLast = pending.every((rest) => rest === '' || rest === '.');
      const target = enter(place, name, isLast && options.followLast === false);
      if (target === undefined) continue;
      turns += 1;
      if (turns > MAX_LINKS) {
        fail('IMAGE_INVALID', { message: `path ${path} leads through too many levels of symbolic links` });
      }
      if (target.startsWith('/')) leaveTo(place, 0);
      pending.push(...split(target));
    }
    return use(place);
  } finally {
    for (const fd of place.fds) closeSync(fd);
  }
}

/** Goes one name down; for a symbolic link returns where it points instead. */
function enter(place: Place, name: string, keepLink: boolean): string | undefined {
  if (missingNames(place).length === 0) {
    const fd = tryOpen(child(top(place), name), O_PATH | constants.O_NOFOLLOW);
    if (fd !== undefined) {
      if (keepLink || !fstatSync(fd).isSymbolicLink()) {
        place.fds.push(fd);
      } else {
        closeSync(fd);
        return readLink(child(top(place), name)) ?? name;
      }
    }
  }
  place.names.push(name);
  return undefined;
}

const hostPath = (root: string, place: Place): string =>
  [root.replace(/\/+$/, ''), ...place.names].join('/') || '/';

/**
 * Where `path`, as a process with `root` for its root directory would see it, lies on the host. Symbolic links are
 * followed inside the root, `..` stops at it, names that do not exist are kept as they are. Nothing is created.
 * The answer is good as long as nothing in the root changes: where processes run inside, use the functions below.
 */
export const resolveInRoot = (root: string, path: string, options: ResolveOptions = {}): string =>
  walk(root, path, options, (place) => hostPath(root, place));

/** True where the confined path exists. */
export const existsInRoot = (root: string, path: string, options: ResolveOptions = {}): boolean =>
  walk(root, path, options, (place) => missingNames(place).length === 0);

/**
 * Opens an existing file or directory of a root file system, confined, safe against changes meanwhile. Never blocks on
 * a FIFO. Returns a file descriptor, which the caller closes, or undefined where there is no such path.
 */
export function openInRoot(
  root: string,
  path: string,
  flags: number = constants.O_RDONLY,
): number | undefined {
  return walk(root, path, {}, (place) => {
    if (missingNames(place).length > 0) return undefined;
    return openSync(`/proc/self/fd/${top(place)}`, flags | constants.O_NONBLOCK);
  });
}

/**
 * The text of a regular file in a root file system, such as etc/passwd; undefined where there is none. Devices, FIFOs
 * and files over `limit` bytes are refused with IMAGE_INVALID.
 */
export function readFileInRoot(root: string, path: string, limit = 1 << 20): string | undefined {
  return walk(root, path, {}, (place) => {
    if (missingNames(place).length > 0) return undefined;
    const stat = fstatSync(top(place));
    if (!stat.isFile() || stat.size > limit) {
      const problem = stat.isFile() ? `is larger than ${limit} bytes` : 'is not a regular file';
      fail('IMAGE_INVALID', { message: `${path} in the root file system ${problem}` });
    }
    return readFileSync(`/proc/self/fd/${top(place)}`, 'utf8');
  });
}

/**
 * Creates a directory and the missing ones above it in a root file system, confined. Returns its host path. Idempotent;
 * `mode` goes to new directories only. Fails with IMAGE_INVALID where something else has the name.
 */
export function makeDirectoryInRoot(root: string, path: string, mode = 0o755): string {
  return walk(root, path, {}, (place) => {
    makeMissing(place, path, missingNames(place).length, mode);
    if (!fstatSync(top(place)).isDirectory()) {
      fail('IMAGE_INVALID', { message: `${path} in the root file system is not a directory` });
    }
    return hostPath(root, place);
  });
}

/**
 * Creates an empty regular file, and the missing directories above it, in a root file system, confined: the target of
 * a bind mount of a file. Returns its host path. Idempotent; fails with IMAGE_INVALID where a directory has the name.
 */
export function makeFileInRoot(root: string, path: string, mode = 0o644): string {
  return walk(root, path, {}, (place) => {
    const missing = missingNames(place);
    const name = missing.at(-1);
    if (name !== undefined) {
      makeMissing(place, path, missing.length - 1, 0o755);
      const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;
      place.fds.push(openSync(child(top(place), name), flags, mode));
      setMode(place, mode);
    }
    if (fstatSync(top(place)).isDirectory()) {
      fail('IMAGE_INVALID', { message: `${path} in the root file system is a directory, not a file` });
    }
    return hostPath(root, place);
  });
}

function makeMissing(place: Place, path: string, count: number, mode: number): void {
  for (const name of missingNames(place).slice(0, count)) {
    const where = child(top(place), name);
    let made = true;
    try {
      mkdirSync(where, { mode });
    } catch (error) {
      if (errnoOf(error) === 'ENOTDIR') {
        fail('IMAGE_INVALID', { message: `a part of ${path} in the root file system is not a directory` });
      }
      if (errnoOf(error) !== 'EEXIST') throw error;
      made = false;
    }
    place.fds.push(openSync(where, O_PATH | constants.O_NOFOLLOW | constants.O_DIRECTORY));
    if (made) setMode(place, mode);
  }
}

/** The mode must not depend on the umask of whoever calls cryopod. */
const setMode = (place: Place, mode: number): void => chmodSync(`/proc/self/fd/${top(place)}`, mode);
