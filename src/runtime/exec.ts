import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from '../system/clock.ts';
import { type RunOptions, type RunResult, run } from '../system/process.ts';
import { runDirectory, type StorePaths } from '../system/store-paths.ts';
import { UMASK } from './environment.ts';
import { decisiveLine, failRuntime, lastLoggedError } from './runtime-errors.ts';
import type { OciProcess } from './spec/types.ts';
import { specJson } from './spec.ts';
import type { ExecRequest } from './types.ts';

/** The runtime that runs it. */
export interface ExecRuntime {
  readonly store: StorePaths;
  readonly name: string;
  readonly path: string;
  readonly globalArgs: readonly string[];
}

/**
 * Runs a process in a running container and gives its exit status (128 + signal when one killed it; 0 at once with
 * `detach`). With a terminal the runtime itself puts the caller's into raw mode and passes resizes on. Without one the
 * process gets pipes where the caller has a terminal, so that it cannot reach the caller's terminal, and else the
 * caller's own files. Fails with COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE or RUNTIME_FAILED when it did not start.
 */
export async function execInContainer(
  runtime: ExecRuntime,
  id: string,
  request: ExecRequest,
): Promise<number> {
  const parent = runDirectory(runtime.store, id);
  await mkdir(parent, { recursive: true, mode: 0o711 });
  // Readable by root alone: the process spec holds the environment.
  const scratch = await mkdtemp(join(parent, 'exec-'));
  try {
    return await execWith(runtime, id, request, scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function execWith(
  runtime: ExecRuntime,
  id: string,
  request: ExecRequest,
  scratch: string,
): Promise<number> {
  const files = {
    process: join(scratch, 'process.json'),
    pid: join(scratch, 'pid'),
    log: join(scratch, 'log'),
  };
  await writeFile(files.process, specJson(processOf(request)), { mode: 0o600 });
  const command = [
    runtime.path,
    ...runtime.globalArgs,
    ...[
      '--log',
      files.log,
      '--log-format',
      'json',
      'exec',
      '--process',
      files.process,
      '--pid-file',
      files.pid,
    ],
    ...(request.detach ? ['--detach'] : []),
    id,
  ];
  // runc 1.1 does not look at the umask of an exec's process: it hands its own on.
  const running = run(command, { ...wiring(request, files.log), umask: UMASK, newSession: false });
  await tellStarted(files.pid, running, request.onStarted);
  const result = await running;
  if (!existsSync(files.pid)) {
    const log = readLog(files.log);
    failRuntime(runtime.name, lastLoggedError(log) ?? decisiveLine(log === '' ? result.stderr : log));
  }
  return exitStatus(result);
}

/** The runtime writes the PID file as soon as the process runs. */
async function tellStarted(
  pidFile: string,
  running: Promise<unknown>,
  tell: (() => void) | undefined,
): Promise<void> {
  if (tell === undefined) return;
  let isOver = false;
  const over = (): void => {
    isOver = true;
  };
  running.then(over, over);
  await waitFor(() => isOver || existsSync(pidFile), Number.POSITIVE_INFINITY);
  tell();
}

/** A detached process has nobody at its terminal. */
const processOf = ({ process: spec, detach }: ExecRequest): OciProcess =>
  detach ? { ...spec, terminal: false } : spec;

const readLog = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');

function exitStatus(result: RunResult): number {
  if (result.code !== undefined) return result.code;
  // The runtime itself was killed; its process may go on, as with podman.
  return 137;
}

function wiring(request: ExecRequest, log: string): RunOptions {
  if (request.detach) return { stdout: 'ignore', stderr: 'ignore' };
  const relayInput = request.interactive && !request.process.terminal && process.stdin.isTTY;
  const relayOutput = !request.process.terminal && process.stdout.isTTY;
  return {
    ...(relayInput ? { stdin: 'pipe' as const } : request.interactive ? { input: 0 } : {}),
    stdout: relayOutput ? 'pipe' : 'inherit',
    stderr: 'pipe',
    onSpawn: (child) => {
      if (relayInput && child.stdin !== null) relayStdin(child);
      if (relayOutput) child.stdout?.on('data', (chunk: Buffer) => process.stdout.write(chunk));
      relayErrors(child, log);
      closeWhenQuiet(child);
    },
  };
}

function relayStdin(child: ChildProcess): void {
  // A process that ends without reading breaks this pipe; its exit status tells the story.
  child.stdin?.on('error', () => undefined);
  if (child.stdin !== null) process.stdin.pipe(child.stdin);
  child.once('close', () => {
    process.stdin.unpipe();
    process.stdin.pause();
  });
}

/**
 * Passes stderr on, except for what the runtime itself says when it cannot start the process: that is in its log and
 * becomes the error. The runtime writes the log first, so a look at it on the first output tells the two apart.
 */
function relayErrors(child: ChildProcess, log: string): void {
  let fromRuntime: boolean | undefined;
  child.stderr?.on('data', (chunk: Buffer) => {
    fromRuntime ??= lastLoggedError(readLog(log)) !== undefined;
    if (!fromRuntime) process.stderr.write(chunk);
  });
}

const QUIET_MS = 50;

/**
 * Background processes that the ended process left behind hold its pipes open. Once the runtime has ended, what is in
 * the pipes is read and they are let go.
 */
function closeWhenQuiet(child: ChildProcess): void {
  const streams = [child.stdout, child.stderr].filter((stream) => stream !== null);
  child.once('exit', () => {
    const release = (): void => {
      for (const stream of streams) stream.destroy();
    };
    const timer = setTimeout(release, QUIET_MS);
    for (const stream of streams) stream.on('data', () => timer.refresh());
    child.once('close', () => clearTimeout(timer));
  });
}
