import { type BigIntStats, lstatSync } from 'node:fs';
import { errnoOf } from '../../model/errors.ts';
import { failRun, run } from '../../system/process.ts';
import { spaceAt } from '../../system/space.ts';
import type { Change } from '../diff.ts';
import { fromBytes, toBytes } from '../layer-stack.ts';
import { ancestors, buildState, type StateBuilder, type TreeState } from './tree-state.ts';

/** tmpfs, whose files get no new times when they are written through a mapping (linux/magic.h TMPFS_MAGIC). */
const TMPFS = 0x01021994;

async function builderFor(root: string): Promise<StateBuilder> {
  const began = BigInt(Date.now()) * 1_000_000n;
  return buildState(began, { blind: (await spaceAt(root)).type === TMPFS });
}

const FORMAT = '%y %i %s %T@ %C@ %n %P\\0';

/**
 * What a directory and all below it look like, without other file systems mounted there and without sockets. Files may come
 * and go meanwhile. Errors: PROGRAM_FAILED.
 */
export async function scanTree(root: string): Promise<TreeState> {
  const { add, state } = await builderFor(root);
  /** The first line is that of the directory itself. */
  let isThere = false;
  const command = ['find', root, '-ignore_readdir_race', '-xdev', '!', '-type', 's', '-printf', FORMAT];
  const result = await run(command, {
    onSpawn: ({ stdout }) => {
      let rest = '';
      stdout?.on('data', (chunk: Buffer) => {
        const lines = `${rest}${chunk.toString('latin1')}`.split('\0');
        rest = lines.pop() ?? '';
        for (const line of lines) addLine(line, add);
        isThere ||= lines.length > 0;
      });
    },
  });
  if (!result.ok && !(isThere && result.code === 1 && hasOnlyVanished(result.stderr)))
    failRun(result, `look through ${root}`);
  return state;
}

/** A directory that goes between its sight and its opening is a failure for find, whatever it was asked to ignore. */
const hasOnlyVanished = (stderr: string): boolean =>
  stderr
    .trim()
    .split('\n')
    .every((line) => line.endsWith(': No such file or directory'));

function addLine(line: string, add: StateBuilder['add']): void {
  const parts = line.split(' ', 6);
  const [type = '', inode = '', size = '', mtime = '', ctime = '', links = ''] = parts;
  add(line.slice(parts.join(' ').length + 1), {
    type,
    inode: BigInt(inode),
    size: BigInt(size),
    mtime: nanoseconds(mtime),
    ctime: nanoseconds(ctime),
    links: BigInt(links),
  });
}

/** find writes times as seconds with ten decimals. */
function nanoseconds(time: string): bigint {
  const [seconds = '', decimals = ''] = time.split('.');
  return BigInt(`${seconds}${decimals.slice(0, 9).padEnd(9, '0')}`);
}

export interface ChangedFiles {
  readonly state: TreeState;
  /** Paths in the container that are no more, as in deleted.files of podman's archives. */
  readonly deleted: readonly string[];
}

/**
 * What the added and changed files of a mounted root file system look like, with the directories above them. Files may come
 * and go meanwhile.
 */
export async function scanChanges(rootfs: string, changes: AsyncIterable<Change>): Promise<ChangedFiles> {
  const { add, state } = await builderFor(rootfs);
  const deleted: string[] = [];
  const seen = new Set<string>();
  const look = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    const stat = statOf(fromBytes(`${toBytes(rootfs)}/${path}`));
    if (stat === undefined || stat.isSocket()) return;
    add(path, {
      type: typeOf(stat),
      inode: stat.ino,
      size: stat.size,
      mtime: stat.mtimeNs,
      ctime: stat.ctimeNs,
      links: stat.nlink,
    });
  };
  look('');
  for await (const { kind, path, raw } of changes) {
    if (kind === 'D') {
      deleted.push(path);
      continue;
    }
    const name = raw.subarray(1).toString('latin1');
    for (const directory of ancestors(name)) look(directory);
    look(name);
  }
  return { state, deleted };
}

/** Only what a state cares for: an inode that becomes something else changes its other facts too. */
const typeOf = (stat: BigIntStats): string => (stat.isDirectory() ? 'd' : stat.isFile() ? 'f' : 'o');

function statOf(path: Buffer): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true });
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}
