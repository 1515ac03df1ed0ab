import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { digestOf, putBlobFile } from '../../src/image/blobs.ts';
import { runOk } from '../../src/system/process.ts';
import type { StorePaths } from '../../src/system/store-paths.ts';

/** A directory that goes when the test ends. */
export function tempDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'cryopod-image-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export interface Workplace {
  readonly directory: string;
  readonly store: StorePaths;
  /** Writes a file into the directory and returns its path. */
  readonly file: (name: string, content: string | Uint8Array) => string;
}

/** An empty store, and room for the test's own files. */
export function workplace(t: TestContext): Workplace {
  const directory = tempDirectory(t);
  const store = { root: join(directory, 'store'), runroot: join(directory, 'run') };
  mkdirSync(store.root, { mode: 0o700 });
  return {
    directory,
    store,
    file: (name, content) => {
      const path = join(directory, name);
      writeFileSync(path, content);
      return path;
    },
  };
}

/** Puts bytes into the store and returns their digest. */
export async function putBytes(place: Workplace, content: Uint8Array): Promise<string> {
  const digest = digestOf(content);
  await putBlobFile(place.store, digest, place.file('blob', content), { move: false, verified: false });
  return digest;
}

/** Compresses with a program that filters standard input. */
export async function filterFile(command: readonly string[], from: string, to: string): Promise<void> {
  await runOk(['sh', '-c', 'out=$1; shift; exec "$@" > "$out"', 'sh', to, ...command, from], 'compress');
}
