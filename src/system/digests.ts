import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { failRun, run } from './process.ts';
import { findProgram } from './tools.ts';

/** Paths as byte strings, one character a byte, since file names need not be UTF-8, each with 64 hexadecimal digits. */
export type Digests = ReadonlyMap<string, string>;

/**
 * What prints `HEX  PATH` for each file. openssl uses the processor's SHA instructions, three times as fast as Debian's
 * sha256sum, but does not mark line breaks in names.
 */
const hasher = (plainNames: boolean): string[] =>
  plainNames && findProgram('openssl') !== undefined
    ? ['openssl', 'dgst', '-sha256', '-r']
    : ['sha256sum', '--'];

export interface DigestOptions {
  /** No name below the directory has a line break or a backslash. */
  readonly plainNames?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes the digests of all regular files below `directory`, but for those that `except` (tests of find(1)) names, into
 * the new file `list`: lines that `sha256sum --check` reads, with paths relative to the directory. The hashing is a
 * program's. Errors: PROGRAM_FAILED.
 */
export async function writeDigests(
  directory: string,
  list: string,
  except: readonly string[],
  { plainNames = false, signal }: DigestOptions = {},
): Promise<void> {
  const file = await open(list, 'wx', 0o600);
  try {
    const tests = ['-type', 'f', ...except.flatMap((name) => ['!', '-path', name])];
    const command = ['find', '.', '-xdev', ...tests, '-exec', ...hasher(plainNames), '{}', '+'];
    const result = await run(command, { cwd: directory, stdout: file.fd, signal });
    if (!result.ok) failRun(result, `hash the files in ${directory}`);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Reads what {@link writeDigests} wrote. */
export const readDigests = async (list: string): Promise<Digests> =>
  parseDigests(await readFile(list, 'latin1'));

/** The digests that files have now; a file that is not there or cannot be read has none. */
export async function digestsOf(
  directory: string,
  paths: Iterable<string>,
  { plainNames = false, signal }: DigestOptions = {},
): Promise<Digests> {
  const names = [...paths];
  if (names.length === 0) return new Map();
  const chunks: Buffer[] = [];
  const result = await run(['xargs', '--null', '--no-run-if-empty', ...hasher(plainNames)], {
    cwd: directory,
    stdin: 'pipe',
    signal,
    onSpawn: ({ stdin, stdout }) => {
      // As bytes: what run() keeps is text.
      stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
      // Where the program ends early, its exit status tells the story.
      stdin?.on('error', () => undefined);
      stdin?.end(Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1'));
    },
  });
  if (result.missing || result.signal !== undefined) failRun(result, `hash files in ${directory}`);
  return parseDigests(Buffer.concat(chunks).toString('latin1'));
}

const LINE = /^(\\?)([0-9a-f]{64}) [ *](.*)$/;

/** coreutils marks a line in whose name it has escaped something with a backslash (sha256sum(1), "--zero"). */
function parseDigests(text: string): Digests {
  const digests = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, escaped, hex, name] = LINE.exec(line) ?? [];
    if (hex === undefined || name === undefined) continue;
    digests.set(escaped === '' ? name : unescaped(name), hex);
  }
  return digests;
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', '\\': '\\' };
const unescaped = (name: string): string =>
  name.replace(/\\(.)/g, (whole, code: string) => ESCAPES[code] ?? whole);

/** The path of a file below a directory as bytes, from a byte string. */
export const bytesPath = (directory: string, name: string): Buffer =>
  Buffer.concat([Buffer.from(`${join(directory)}/`), Buffer.from(name.replace(/^\.\//, ''), 'latin1')]);
