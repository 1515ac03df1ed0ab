import { lstat, readdir } from 'node:fs/promises';
import { errnoOf } from '../model/errors.ts';
import { xattrReader } from '../system/libc.ts';

/**
 * What a name is in a stack of overlay layers (Documentation/filesystems/overlayfs.rst, "Upper and Lower", "whiteouts
 * and opaque directories"). Paths are byte strings, one character a byte, since file names need not be UTF-8.
 */
export interface StackEntry {
  /** Host path of the topmost layer's version: the one that counts. */
  readonly path: string;
  /** For a directory: the host directories that make up its content, topmost first. Otherwise undefined. */
  readonly directories: readonly string[] | undefined;
}

/** Reads directories through a stack of layers without mounting it. */
export interface StackReader {
  /** The content of a directory that `directories` (topmost first) make up together, whiteouts applied. */
  readonly list: (directories: readonly string[]) => Promise<ReadonlyMap<string, StackEntry>>;
  /** What `path` is below the roots of the layers (topmost first), or undefined. */
  readonly lookup: (roots: readonly string[], path: string) => Promise<StackEntry | undefined>;
}

export const toBytes = (text: string): string => Buffer.from(text).toString('latin1');
export const fromBytes = (bytes: string): Buffer => Buffer.from(bytes, 'latin1');

type Kind = 'directory' | 'whiteout' | 'other';

interface Candidate {
  readonly path: string;
  readonly kind: Kind;
}

/** What is known of a name while its layers are visited, topmost first. */
interface Gathering {
  readonly path: string;
  readonly kind: Kind;
  readonly directories: string[];
  /** Lower layers no longer count. */
  closed: boolean;
}

/** Opens a reader; it needs root, as overlayfs keeps its marks in trusted attributes. */
export async function openStackReader(): Promise<StackReader> {
  const readXattr = await xattrReader();
  const isOpaque = (directory: string): boolean =>
    readXattr(fromBytes(directory), 'trusted.overlay.opaque')?.toString() === 'y';

  const gather = (known: Gathering | undefined, { path, kind }: Candidate): Gathering => {
    if (known === undefined)
      return { path, kind, directories: kind === 'directory' ? [path] : [], closed: false };
    if (known.closed || known.kind !== 'directory') return known;
    // Asked only where a lower layer has the name as well.
    known.closed = kind !== 'directory' || isOpaque(known.directories.at(-1) ?? '');
    if (!known.closed) known.directories.push(path);
    return known;
  };

  const list: StackReader['list'] = async (directories) => {
    const names = new Map<string, Gathering>();
    for (const directory of directories) {
      for (const { name, ...candidate } of await candidates(directory)) {
        names.set(name, gather(names.get(name), candidate));
      }
    }
    return new Map(
      [...names].flatMap(([name, known]) => finish(known).map((entry) => [name, entry] as const)),
    );
  };

  const lookup: StackReader['lookup'] = async (roots, path) => {
    const [top] = roots;
    let entry: StackEntry | undefined = top === undefined ? undefined : { path: top, directories: roots };
    for (const name of path.split('/').filter((part) => part !== '')) {
      let known: Gathering | undefined;
      for (const directory of entry?.directories ?? []) {
        const kind = await kindOf(`${directory}/${name}`);
        if (kind !== undefined) known = gather(known, { path: `${directory}/${name}`, kind });
      }
      entry = known === undefined ? undefined : finish(known)[0];
    }
    return entry;
  };

  return { list, lookup };
}

function finish({ path, kind, directories }: Gathering): StackEntry[] {
  if (kind === 'whiteout') return [];
  return [{ path, directories: kind === 'directory' ? directories : undefined }];
}

async function candidates(directory: string): Promise<(Candidate & { readonly name: string })[]> {
  const found: (Candidate & { readonly name: string })[] = [];
  for (const entry of await readdir(fromBytes(directory), { withFileTypes: true, encoding: 'latin1' })) {
    const { name } = entry;
    const path = `${directory}/${name}`;
    if (entry.isDirectory()) found.push({ name, path, kind: 'directory' });
    else if (entry.isCharacterDevice()) found.push({ name, path, kind: (await kindOf(path)) ?? 'other' });
    else found.push({ name, path, kind: 'other' });
  }
  return found;
}

async function kindOf(path: string): Promise<Kind | undefined> {
  try {
    const stat = await lstat(fromBytes(path));
    if (stat.isDirectory()) return 'directory';
    return stat.isCharacterDevice() && stat.rdev === 0 ? 'whiteout' : 'other';
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
