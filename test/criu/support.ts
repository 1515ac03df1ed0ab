import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '../../src/system/clock.ts';
import { type RunOptions, type RunResult, run, runOk } from '../../src/system/process.ts';
import { isAlive, processStat } from '../../src/system/procfs.ts';
import { enterHostNamespace } from '../fixtures/host-namespace.ts';
import { HOST_NETWORK } from '../fixtures/leaks.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';

/** Registers a step that runs when the test ends, last in, first out. */
export interface Undo {
  readonly add: (step: () => Promise<unknown> | unknown) => void;
}

/** CRIU locks the connections of what it dumps by such rules (soccr/soccr.h SOCCR_MARK); they end with the restore. */
async function networkLocksOfHost(): Promise<string[]> {
  const rules = await runOk(['nsenter', `--net=${HOST_NETWORK}`, 'iptables-save'], 'list rules of the host');
  return rules.split('\n').filter((line) => line.includes('0xc114'));
}

/**
 * Runs a test body with a private directory, in a network namespace of the test's own, and undoes what it registered,
 * whatever happens. Fails where CRIU has left rules in the firewall of the host.
 */
export async function inScratch(body: (directory: string, undo: Undo) => Promise<void>): Promise<void> {
  await enterHostNamespace();
  const before = await networkLocksOfHost();
  const directory = mkdtempSync(join(tmpdir(), 'cryopod-criu-'));
  const steps: (() => Promise<unknown> | unknown)[] = [
    () => rmSync(directory, { recursive: true, force: true }),
  ];
  try {
    await body(directory, { add: (step) => steps.push(step) });
  } finally {
    for (const step of steps.toReversed()) await step();
  }
  const left = (await networkLocksOfHost()).filter((rule) => !before.includes(rule));
  assert.deepEqual(left, [], 'CRIU left rules in the firewall of the host');
}

export interface Subject {
  readonly pid: number;
  readonly startTime: string;
  /** Ends it and waits until it is gone. Idempotent. */
  readonly stop: () => Promise<void>;
}

/**
 * Starts a Perl program (perl-base is on every Debian) in a session of its own with nothing inherited that CRIU could
 * stumble over, and waits until it says that it is ready by `ready();`.
 */
export async function startPerl(
  directory: string,
  undo: Undo,
  code: string,
  name = 'subject',
): Promise<Subject> {
  const flag = join(directory, `${name}.ready`);
  const script = join(directory, `${name}.pl`);
  writeFileSync(script, `sub ready { open(my $f, '>', '${flag}'); close $f; }\n${code}\n`);
  const child = spawn('perl', [script], { detached: true, stdio: 'ignore', cwd: '/' });
  const { pid } = child;
  if (pid === undefined) throw new Error('perl did not start');
  const stop = (): Promise<void> => stopChild(child);
  undo.add(stop);
  const ready = await waitFor(() => existsSync(flag), LIMIT_MS);
  if (ready !== true) throw new Error(`the subject ${name} did not become ready`);
  const startTime = processStat(pid)?.startTime ?? '';
  return { pid, startTime, stop };
}

async function stopChild(child: ChildProcess): Promise<void> {
  const gone = (): boolean => child.exitCode !== null || child.signalCode !== null;
  if (!gone() && child.pid !== undefined) {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      child.kill('SIGKILL');
    }
  }
  await waitFor(gone, LIMIT_MS);
}

/** Ends a process that CRIU restored: it is no child of this one. */
export async function killRestored(pid: number): Promise<void> {
  const startTime = processStat(pid)?.startTime;
  if (startTime === undefined) return;
  process.kill(pid, 'SIGKILL');
  await waitFor(() => !isAlive(pid, startTime), LIMIT_MS);
}

export interface CriuRun {
  readonly result: RunResult;
  /** Text of dump.log or restore.log. */
  readonly log: string;
  readonly images: string;
}

/** `criu dump` of a tree; the images go to DIRECTORY/img. */
export async function dump(
  directory: string,
  pid: number,
  flags: readonly string[] = [],
  options: RunOptions & { readonly images?: string } = {},
): Promise<CriuRun> {
  const images = options.images ?? join(directory, 'img');
  mkdirSync(images, { recursive: true, mode: 0o700 });
  const command = ['criu', 'dump', '-t', String(pid), '-D', images, '-W', directory, '-o', 'dump.log', '-v4'];
  const result = await run([...command, ...flags], options);
  return { result, log: readFileSync(join(directory, 'dump.log'), 'utf8'), images };
}

/** `criu restore` of DIRECTORY/img, or other images, detached. */
export async function restore(
  directory: string,
  flags: readonly string[] = [],
  options: RunOptions & { readonly images?: string } = {},
): Promise<CriuRun> {
  const images = options.images ?? join(directory, 'img');
  const command = ['criu', 'restore', '-d', '-D', images, '-W', directory, '-o', 'restore.log', '-v4'];
  const result = await run([...command, ...flags], options);
  return { result, log: readFileSync(join(directory, 'restore.log'), 'utf8'), images };
}

export interface BundleMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

interface RuncSpec {
  process: { terminal: boolean; args: string[]; rlimits: unknown[] };
  root: { readonly: boolean };
  mounts: BundleMount[];
}

export interface TestContainer {
  readonly id: string;
  readonly bundle: string;
  readonly pid: number;
  readonly runc: (...args: string[]) => Promise<RunResult>;
  readonly checkpoint: (options?: RunOptions) => Promise<CriuRun>;
  readonly restore: (options?: RunOptions) => Promise<CriuRun>;
}

/**
 * A container from the host's own /usr (read-only) and a private root, run by runc without an engine. With `overlay`
 * its root is an overlay mount, as an engine's would be.
 */
export async function startContainer(
  directory: string,
  undo: Undo,
  args: readonly string[],
  settings: {
    readonly mounts?: readonly BundleMount[];
    readonly overlay?: boolean;
    readonly stdout?: number;
  } = {},
): Promise<TestContainer> {
  const bundle = join(directory, 'bundle');
  await makeBundle(bundle, undo, settings.overlay === true);
  const spec = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8')) as RuncSpec;
  spec.process.terminal = false;
  spec.process.args = [...args];
  spec.process.rlimits = [];
  spec.root.readonly = false;
  const usr = { destination: '/usr', type: 'bind', source: '/usr', options: ['rbind', 'ro'] };
  spec.mounts = [...spec.mounts, usr, ...(settings.mounts ?? [])];
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec));
  const id = `cryopod-criu-${process.pid}-${Math.trunc(performance.now())}`;
  const base = ['runc', '--root', join(directory, 'runc')];
  const runc = (...words: string[]): Promise<RunResult> => run([...base, ...words]);
  undo.add(() => runc('delete', '--force', id));
  const quiet = { stdout: settings.stdout ?? 'ignore', stderr: 'ignore' } as const;
  const started = await run(
    ['runc', '--root', join(directory, 'runc'), 'run', '-d', '-b', bundle, id],
    quiet,
  );
  if (!started.ok) throw new Error('runc did not start the container');
  const state = JSON.parse((await runc('state', id)).stdout) as { pid: number };
  const images = join(directory, 'img');
  const paths = ['--image-path', images, '--work-path', directory];
  const logOf = (name: string): string => {
    const path = join(directory, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  };
  return {
    id,
    bundle,
    pid: state.pid,
    runc,
    checkpoint: async (options = {}) => {
      const result = await run([...base, 'checkpoint', ...paths, id], options);
      return { result, log: logOf('dump.log'), images };
    },
    restore: async (options = {}) => {
      const command = [...base, 'restore', '-d', ...paths, '-b', bundle, id];
      const result = await run(command, { ...options, stdout: 'ignore', stderr: 'ignore' });
      return { result, log: logOf('restore.log'), images };
    },
  };
}

async function makeBundle(bundle: string, undo: Undo, overlay: boolean): Promise<void> {
  const rootfs = join(bundle, 'rootfs');
  const lower = overlay ? join(bundle, 'lower') : rootfs;
  for (const name of ['usr', 'proc', 'dev', 'sys', 'tmp', 'run', 'etc', 'data']) {
    mkdirSync(join(lower, name), { recursive: true });
  }
  for (const name of ['bin', 'lib', 'lib64', 'sbin']) {
    if (existsSync(`/usr/${name}`)) symlinkSync(`usr/${name}`, join(lower, name));
  }
  await run(['runc', 'spec', '-b', bundle]);
  if (!overlay) return;
  for (const name of ['upper', 'work', 'rootfs']) mkdirSync(join(bundle, name));
  const layers = `lowerdir=${lower},upperdir=${join(bundle, 'upper')},workdir=${join(bundle, 'work')}`;
  await run(['mount', '-t', 'overlay', 'overlay', '-o', layers, rootfs]);
  undo.add(() => run(['umount', '--lazy', rootfs]));
}

/** Waits until a file exists. */
export async function waitForFile(path: string): Promise<void> {
  const found = await waitFor(() => existsSync(path), LIMIT_MS);
  if (found !== true) throw new Error(`${path} did not appear`);
}
