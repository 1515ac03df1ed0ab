import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { errnoOf } from '../../src/model/errors.ts';
import { setXattr, xattrLister } from '../../src/system/libc.ts';

/** Bytes, one character each: no UTF-8, new lines and what programs may take for options among them. */
const NAMES = ['a', 'b', 'c', 'dir', '-x', 'new\nline', '\xff\xfe', '..hidden', 'with space', 'e', 'one'];

const bytes = (path: string): Buffer => Buffer.from(path, 'latin1');

/**
 * Everything that can be seen of a tree, one line a path, in the order of names. `links`: whether files know how many names
 * they have, of which some may be an image's.
 */
export async function portrait(root: string, { links: counted = true } = {}): Promise<string[]> {
  const xattrs = await xattrLister();
  const links = new Map<bigint, string>();
  const lines: string[] = [];
  const visit = (path: string): void => {
    const at = bytes(`${root}${path}`);
    const stat = lstatSync(at, { bigint: true });
    if (stat.isSocket()) return;
    const first = links.get(stat.ino) ?? path;
    links.set(stat.ino, first);
    const content = stat.isFile()
      ? createHash('sha256').update(readFileSync(at)).digest('hex')
      : stat.isSymbolicLink()
        ? readlinkSync(at, 'latin1')
        : '';
    const names = stat.isDirectory() || !counted ? '' : `${stat.nlink} ${first}`;
    const attributes = xattrs(at)
      .toString('latin1')
      .replace(/trusted\.overlay[^\0]*\0./gs, '');
    const { mode, uid, gid, mtimeNs, size, rdev } = stat;
    const facts = [mode.toString(8), uid, gid, mtimeNs, stat.isDirectory() ? '' : size, rdev];
    lines.push(JSON.stringify([path, ...facts.map(String), content, names, attributes]));
    if (!stat.isDirectory()) return;
    for (const name of readdirSync(at, { encoding: 'latin1' }).sort()) {
      visit(`${path}/${name}`);
    }
  };
  visit('');
  return lines;
}

/** Paths below `root`, files and directories. */
function everything(root: string): { readonly files: string[]; readonly directories: string[] } {
  const files: string[] = [];
  const directories = [''];
  for (const directory of directories) {
    for (const entry of readdirSync(bytes(`${root}${directory}`), {
      withFileTypes: true,
      encoding: 'latin1',
    })) {
      const path = `${directory}/${entry.name}`;
      if (entry.isDirectory()) directories.push(path);
      else files.push(path);
    }
  }
  return { files, directories };
}

type Pick = <T>(from: readonly T[]) => T | undefined;
type Change = (root: string, pick: Pick, random: () => number) => void;

const isPlain = (path: string): boolean => lstatSync(bytes(path)).isFile();

/** One change of a tree by chance, of any kind that a program can make. Gives its name. */
const CHANGES: Readonly<Record<string, Change>> = {
  write: (root, pick, random) => {
    const size = Math.floor(random() * 20_000);
    const path = fresh(root, pick);
    rmSync(bytes(path), { recursive: true, force: true });
    writeFileSync(bytes(path), Buffer.alloc(size, Math.floor(random() * 256)));
  },
  append: (root, pick) => onFile(root, pick, (path) => appendFileSync(path, 'more')),
  'write in place, with the old time': (root, pick, random) =>
    onFile(root, pick, (path) => {
      const { size, atime, mtime } = lstatSync(path);
      writeFileSync(path, Buffer.alloc(size, Math.floor(random() * 256)), { flag: 'r+' });
      utimesSync(path, atime, mtime);
    }),
  truncate: (root, pick) => onFile(root, pick, (path) => truncateSync(path, 3)),
  sparse: (root, pick) => onFile(root, pick, (path) => truncateSync(path, 5 << 20)),
  mkdir: (root, pick) => {
    const path = fresh(root, pick);
    rmSync(bytes(path), { recursive: true, force: true });
    mkdirSync(bytes(path));
  },
  symlink: (root, pick) => {
    const path = fresh(root, pick);
    rmSync(bytes(path), { recursive: true, force: true });
    symlinkSync(pick(['/etc', '..', 'a', 'nowhere', '/']) ?? '', bytes(path));
  },
  link: (root, pick) =>
    onFile(root, pick, (path) => {
      const to = bytes(fresh(root, pick));
      if (to.equals(path) || lstatSync(to, { throwIfNoEntry: false }) !== undefined) return;
      linkSync(path, to);
    }),
  fifo: (root, pick) => {
    const path = bytes(fresh(root, pick));
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return;
    mknod(path, 'p');
  },
  device: (root, pick) => {
    const path = bytes(fresh(root, pick));
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return;
    mknod(path, 'c', '1', '3');
  },
  rename: (root, pick) => {
    const { files, directories } = everything(root);
    const from = pick([...files, ...directories.filter((path) => path !== '')]);
    const to = fresh(root, pick);
    if (from === undefined || `${to}/`.startsWith(`${root}${from}/`)) return;
    if (`${root}${from}/`.startsWith(`${to}/`)) return;
    rmSync(bytes(to), { recursive: true, force: true });
    try {
      renameSync(bytes(`${root}${from}`), bytes(to));
    } catch (error) {
      // overlayfs moves no directory of an image.
      if (errnoOf(error) !== 'EXDEV') throw error;
    }
  },
  remove: (root, pick) => {
    const { files, directories } = everything(root);
    const path = pick([...files, ...directories.filter((one) => one !== '')]);
    if (path !== undefined) rmSync(bytes(`${root}${path}`), { recursive: true, force: true });
  },
  chmod: (root, pick) =>
    onAny(root, pick, (path) => {
      if (!lstatSync(path).isSymbolicLink())
        chmodSync(path, pick([0o600, 0o755, 0o4711, 0o1777, 0o2750]) ?? 0);
    }),
  chown: (root, pick) => onAny(root, pick, (path) => lchownSync(path, pick([0, 7, 1000]) ?? 0, 33)),
  touch: (root, pick, random) =>
    onAny(root, pick, (path) => {
      if (!lstatSync(path).isSymbolicLink()) utimesSync(path, random() * 1e9, random() * 1e9);
    }),
};

function onFile(root: string, pick: Pick, work: (path: Buffer) => void): void {
  const path = pick(everything(root).files.filter((one) => isPlain(`${root}${one}`)));
  if (path !== undefined) work(bytes(`${root}${path}`));
}

function onAny(root: string, pick: Pick, work: (path: Buffer) => void): void {
  const { files, directories } = everything(root);
  const path = pick([...files, ...directories]);
  if (path !== undefined) work(bytes(`${root}${path}`));
}

/** The path of a name in a directory of the tree, which may be there already. */
const fresh = (root: string, pick: Pick): string =>
  `${root}${pick(everything(root).directories)}/${pick(NAMES)}`;

const mknod = (path: Buffer, ...how: string[]): void => {
  // The shell takes the bytes of the name as they are.
  const name = [...path].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
  execFileSync('sh', ['-euc', `name=$(printf '${name}x'); mknod -- "\${name%x}" "$@"`, 'sh', ...how]);
};

/** Makes `count` changes by chance; gives their names. */
export async function changeTree(root: string, count: number, random: () => number): Promise<string[]> {
  const pick: Pick = (from) => from[Math.floor(random() * from.length)];
  const done: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const kind = pick([...Object.keys(CHANGES), 'xattr']) ?? '';
    done.push(kind);
    if (kind !== 'xattr') CHANGES[kind]?.(root, pick, random);
    else await changeXattr(root, pick);
  }
  return done;
}

async function changeXattr(root: string, pick: Pick): Promise<void> {
  const { files, directories } = everything(root);
  // setXattr takes text for a path.
  const able = [...files, ...directories].filter(
    (path) => /^[\0-\x7f]*$/.test(path) && /file|dir/.test(kindOf(`${root}${path}`)),
  );
  const path = pick(able);
  if (path !== undefined) await setXattr(`${root}${path}`, `user.${pick(['one', 'two'])}`, `${pick(NAMES)}`);
}

function kindOf(path: string): string {
  const stat = lstatSync(bytes(path));
  return stat.isFile() ? 'file' : stat.isDirectory() ? 'dir' : 'other';
}
