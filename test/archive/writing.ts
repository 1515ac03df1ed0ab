import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readlinkSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ArchiveCompression } from '../../src/archive/members.ts';
import { openArchiveWriter } from '../../src/archive/writer.ts';

/** Directories of one test. */
export interface Place {
  readonly directory: string;
  /** In which the archive lies; nothing else may be in it. */
  readonly out: string;
  /** CRIU's images. */
  readonly images: string;
  readonly scratch: string;
}

/** What each open descriptor is of. */
const descriptors = (): string[] =>
  readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [`${fd} ${readlinkSync(`/proc/self/fd/${fd}`)}`];
    } catch {
      // The one that read the directory.
      return [];
    }
  });

const children = (): string[] =>
  execFileSync('ps', ['-o', 'comm=', '--ppid', String(process.pid)], { encoding: 'utf8' })
    .split('\n')
    .filter((name) => name !== '' && name !== 'ps');

/** Gives `work` directories, and checks that it left no descriptor, no child, no FIFO and no scratch file. */
export async function withPlace(work: (place: Place) => Promise<void>): Promise<void> {
  await warmUp();
  const directory = await mkdtemp(join(tmpdir(), 'cryopod-writer-'));
  const [out, images, scratch] = ['out', 'images', 'scratch'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [out, images, scratch]) await mkdir(path);
  const before = descriptors();
  try {
    await work({ directory, out, images, scratch });
    assert.deepEqual(descriptors(), before);
    assert.deepEqual(children(), []);
    assert.deepEqual(await readdir(images), []);
    assert.deepEqual(await readdir(scratch), []);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

let warm: Promise<void> | undefined;

/** Loading the C library and starting threads opens descriptors that stay. */
function warmUp(): Promise<void> {
  warm ??= (async () => {
    const directory = await mkdtemp(join(tmpdir(), 'cryopod-warm-'));
    const writer = await openArchiveWriter({
      target: { path: join(directory, 'a') },
      compression: 'zstd',
      scratch: directory,
    });
    await writer.addPages('checkpoint', directory, async () => undefined);
    await writer.discard();
    await rm(directory, { recursive: true });
  })();
  return warm;
}

const DECOMPRESS = {
  zstd: 'zstd -tq -- "$1" && zstd -dcq -- "$1"',
  gzip: 'gzip -t -- "$1" && gzip -dc -- "$1"',
  none: 'cat -- "$1"',
} as const;

/** The archive as the usual programs see it: each member's name, and the SHA-256 of its content. */
export function readArchive(path: string, compression: ArchiveCompression): Record<string, string> {
  const to = `sha256sum | cut -c 1-64 | tr '\\n' ' '; printf '%s\\n' "$TAR_FILENAME"`;
  const script = `set -e; (${DECOMPRESS[compression]}) > "$1.tar"; tar -xf "$1.tar" --to-command="$2"; rm "$1.tar"`;
  const lines = execFileSync('sh', ['-c', script, 'sh', path, to], { encoding: 'utf8' });
  return Object.fromEntries(
    lines
      .trim()
      .split('\n')
      .map((line) => [line.slice(65), line.slice(0, 64)]),
  );
}

/** One member's content. */
export const readMember = (path: string, compression: ArchiveCompression, name: string): string =>
  execFileSync('sh', ['-c', `(${DECOMPRESS[compression]}) | tar -xOf - -- "$2"`, 'sh', path, name], {
    encoding: 'utf8',
  });

export const sha256 = (content: string | Uint8Array): string =>
  createHash('sha256').update(content).digest('hex');

/** Runs a shell script as CRIU would run; resolves to its status however it ends. `$1`, `$2` … are `args`. */
export function shell(script: string, args: readonly string[], fd?: number): Promise<number | null> {
  const child = spawn('sh', ['-c', script, 'sh', ...args], {
    stdio: ['ignore', fd ?? 'ignore', 'ignore'],
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
}
