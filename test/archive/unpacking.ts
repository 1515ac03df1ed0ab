import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { closeSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { unpackArchive } from '../../src/archive/reader.ts';
import type { UnpackedArchive, UnpackRequest } from '../../src/archive/types.ts';
import { CryopodError, type ErrorCode, errnoOf } from '../../src/model/errors.ts';
import { makePipe } from '../../src/system/libc.ts';

export const runFile = promisify(execFile);

const CANARY = 'untouched';

/** A place to unpack into, with a file beside it that no archive may touch. */
export interface Place {
  /** For the test's own files. */
  readonly scratch: string;
  /** Where members go. */
  readonly directory: string;
}

/**
 * Runs `work`, then checks that nothing beside the directory changed, that what is in it is private files and
 * directories, and that no descriptor and no program is left.
 */
export async function inPlace<T>(work: (place: Place) => Promise<T>): Promise<T> {
  const base = await mkdtemp(join(tmpdir(), 'cryopod-archive-'));
  const place = { scratch: join(base, 'scratch'), directory: join(base, 'directory') };
  try {
    for (const path of Object.values(place)) await mkdir(path, { mode: 0o700 });
    await writeFile(join(base, 'canary'), CANARY);
    // Whatever is loaded once does not count as left open.
    for (const fd of Object.values(await makePipe())) closeSync(fd);
    const before = openDescriptors();
    const result = await work(place);
    assert.deepEqual(openDescriptors(), before, 'descriptors are left open');
    assert.deepEqual(children(), [], 'programs are left running');
    await checkConfined(base, place.directory);
    return result;
  } finally {
    await rm(base, { recursive: true });
  }
}

const openDescriptors = (): string[] =>
  readdirSync('/proc/self/fd').filter((fd) => existsSync(`/proc/self/fd/${fd}`));

const children = (): string[] =>
  readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean);

export async function checkConfined(base: string, directory: string): Promise<void> {
  assert.deepEqual((await readdir(base)).sort(), ['canary', 'directory', 'scratch']);
  assert.equal(await readFile(join(base, 'canary'), 'utf8'), CANARY);
  for (const name of await namesBelow(directory)) {
    const stat = await lstat(join(directory, name));
    if (stat.isSymbolicLink()) assert.equal(name, 'checkpoint/parent');
    else assert.equal(stat.mode & 0o7777, stat.isDirectory() ? 0o700 : 0o600, `mode of ${name}`);
    assert.ok(stat.isFile() || stat.isDirectory() || stat.isSymbolicLink(), `${name} is something special`);
    assert.equal(stat.isFile() ? stat.nlink : 1, 1, `${name} has a second name`);
  }
}

/** What a test need not say: everything is wanted and there is room. */
export const requestFor = (
  place: Place,
  source: UnpackRequest['source'],
  request: Partial<UnpackRequest> = {},
): UnpackRequest => ({
  source,
  directory: place.directory,
  wants: () => true,
  maxBytes: 1 << 30,
  ...request,
});

export interface Unpacked extends UnpackedArchive {
  /** Files and links below the directory, with their content. */
  readonly written: Readonly<Record<string, string>>;
}

/** Unpacks the bytes of an archive from a file. */
export const unpack = (bytes: Buffer, request: Partial<UnpackRequest> = {}): Promise<Unpacked> =>
  inPlace(async (place) => {
    const path = join(place.scratch, 'archive');
    await writeFile(path, bytes);
    const result = await unpackArchive(requestFor(place, { path }, request));
    return { ...result, written: await filesIn(place.directory) };
  });

/** Names of everything below a directory; links are not followed. */
export async function namesBelow(directory: string): Promise<string[]> {
  const names: string[] = [];
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    names.push(entry.name);
    if (!entry.isDirectory()) continue;
    const below = await namesBelow(join(directory, entry.name));
    names.push(...below.map((name) => join(entry.name, name)));
  }
  return names;
}

export async function filesIn(directory: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const name of await namesBelow(directory)) {
    const stat = await lstat(join(directory, name));
    if (stat.isFile()) files[name] = await readFile(join(directory, name), 'utf8');
    if (stat.isSymbolicLink()) files[name] = '-> link';
  }
  return files;
}

/** Unpacks bytes that must be refused, and nothing outside the directory may have changed. */
export async function refused(
  bytes: Buffer,
  message: RegExp,
  code: ErrorCode = 'ARCHIVE_INVALID',
  request: Partial<UnpackRequest> = {},
): Promise<void> {
  await inPlace(async (place) => {
    const path = join(place.scratch, 'archive');
    await writeFile(path, bytes);
    await assertFails(unpackArchive(requestFor(place, { path }, request)), message, code);
  });
}

export async function assertFails(
  work: Promise<unknown>,
  message: RegExp,
  code: ErrorCode = 'ARCHIVE_INVALID',
): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof CryopodError, String(error));
    assert.match(error.message, message);
    assert.equal(error.code, code);
    return true;
  });
}

/** What a program makes of some bytes. */
export const filtered = (bytes: Buffer, command: readonly [string, ...string[]]): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const [program, ...args] = command;
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const parts: Buffer[] = [];
    child.stdout.on('data', (part: Buffer) => parts.push(part));
    // Its exit status tells the story.
    child.stdin.on('error', () => undefined);
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(Buffer.concat(parts));
      else reject(new Error(`${program} ended with ${code}`));
    });
    child.stdin.end(bytes);
  });

export const zstd = (bytes: Buffer, ...options: readonly string[]): Promise<Buffer> =>
  filtered(bytes, ['zstd', '--compress', '--stdout', '--quiet', ...options]);

export const gzip = (bytes: Buffer): Promise<Buffer> => filtered(bytes, ['gzip', '-c']);

/** Unpacks what a program gives through a pipe; the program ends by itself when nobody reads any more. */
export async function fromProgram(
  place: Place,
  command: readonly [string, ...string[]],
  request: Partial<UnpackRequest> = {},
  bytes: Buffer = Buffer.alloc(0),
): Promise<UnpackedArchive> {
  const { read, write } = await makePipe();
  const [program, ...args] = command;
  const feeder = spawn(program, args, { stdio: ['pipe', write, 'inherit'] });
  closeSync(write);
  const ended = new Promise((resolve) => feeder.once('close', resolve));
  // The reader may end before all is written.
  feeder.stdin?.on('error', () => undefined);
  feeder.stdin?.end(bytes);
  try {
    return await unpackArchive(requestFor(place, { fd: read }, request));
  } finally {
    closeSync(read);
    await ended;
  }
}

/** Unpacks the bytes of an archive from a pipe. */
export const viaPipe = (
  place: Place,
  bytes: Buffer,
  request: Partial<UnpackRequest> = {},
): Promise<UnpackedArchive> => fromProgram(place, ['cat'], request, bytes);

/** Waits until a program runs as a child of the test. */
export async function childNamed(program: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!children().some((pid) => commandOf(pid) === program)) {
    assert.ok(Date.now() < deadline, `${program} was not started`);
    await setTimeout(5);
  }
}

function commandOf(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch (error) {
    // It ended meanwhile.
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return undefined;
    throw error;
  }
}
