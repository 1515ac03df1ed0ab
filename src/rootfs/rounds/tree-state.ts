/**
 * What a tree looked like: path relative to its root ('' is the root itself; bytes, one character each) to what tells
 * whether the file there has changed. Directories come before what they hold.
 */
export interface TreeState {
  readonly files: ReadonlyMap<string, string>;
  /** Files that may have changed after they were looked at without its being seen: they count as changed the next time. */
  readonly unsettled: ReadonlySet<string>;
}

export const EMPTY_TREE: TreeState = { files: new Map(), unsettled: new Set() };

/** What a file has that tells of a change. Times in nanoseconds since 1970. */
export interface FileFacts {
  /** One letter: of find's -printf %y. */
  readonly type: string;
  readonly inode: bigint;
  readonly size: bigint;
  readonly mtime: bigint;
  readonly ctime: bigint;
  readonly links: bigint;
}

/** A clock's step as file systems take it from the kernel (CONFIG_HZ is 100 at the least), in nanoseconds. */
const TICK = 20_000_000n;
/** Of file systems that keep whole seconds, or pairs of them. */
const COARSE_TICK = 2_000_000_000n;
const SECOND = 1_000_000_000n;

export interface StateBuilder {
  readonly add: (path: string, facts: FileFacts) => void;
  readonly state: TreeState;
}

/**
 * Gathers a state. A file that was written within one step of the clock before it was looked at (`began`, nanoseconds since
 * 1970) can be written again without getting another time. `blind`: the file system gives no time to what is written
 * through shared mappings (tmpfs), so that no file's content is ever sure.
 */
export function buildState(began: bigint, { blind }: { readonly blind: boolean }): StateBuilder {
  const files = new Map<string, string>();
  const unsettled = new Set<string>();
  return {
    state: { files, unsettled },
    add: (path, { type, inode, size, mtime, ctime, links }) => {
      // What is in a directory is told by its entries; its size is the file system's own affair.
      files.set(path, `${type} ${inode} ${ctime} ${mtime} ${type === 'd' ? '' : `${size} ${links}`}`);
      const step = ctime % SECOND === 0n ? COARSE_TICK : TICK;
      if (ctime >= began - step || (blind && type === 'f')) unsettled.add(path);
    },
  };
}

/** What has to be done to a copy of the earlier state to make it one of the later. */
export interface TreeChanges {
  /** To copy, with the directories above them, in the state's order. */
  readonly changed: readonly string[];
  /** To remove with all below them. */
  readonly removed: readonly string[];
}

export function compareStates(before: TreeState, now: TreeState): TreeChanges {
  const changed = new Set<string>(['']);
  for (const [path, file] of now.files) {
    if (before.files.get(path) === file && !before.unsettled.has(path)) continue;
    for (const directory of ancestors(path)) changed.add(directory);
    changed.add(path);
  }
  const removed = new Set<string>();
  for (const path of before.files.keys()) {
    if (!now.files.has(path) && !ancestors(path).some((one) => removed.has(one))) removed.add(path);
  }
  return { changed: [...changed], removed: [...removed] };
}

/** Bytes of the files whose content has to be copied to make a copy of the earlier state one of the later. */
export function changedBytes(before: TreeState, now: TreeState): number {
  let bytes = 0;
  for (const path of compareStates(before, now).changed) {
    const [type, , , , size = ''] = now.files.get(path)?.split(' ') ?? [];
    if (type === 'f') bytes += Number(size);
  }
  return bytes;
}

/** The directories above a path but for the root, topmost first. */
export function ancestors(path: string): string[] {
  const above: string[] = [];
  for (let end = path.indexOf('/'); end > 0; end = path.indexOf('/', end + 1)) above.push(path.slice(0, end));
  return above;
}
