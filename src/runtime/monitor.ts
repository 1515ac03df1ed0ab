import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, fail } from '../model/errors.ts';
import { waitFor } from '../system/clock.ts';
import { type DaemonReport, REPORT_FD, startDaemon } from '../system/daemon.ts';
import { runOk, signalIfThere } from '../system/process.ts';
import { processStat, processTree } from '../system/procfs.ts';
import { bundleDirectory, exitsDirectory, runDirectory, type StorePaths } from '../system/store-paths.ts';
import { findProgram } from '../system/tools.ts';
import { withoutAbandoned } from './cancel-dump.ts';
import { criuLogDetails } from './criu-log.ts';
import { decisiveLine, failRuntime, lastLoggedError } from './runtime-errors.ts';
import type { ContainerExit, MonitoredContainer, MonitorRequest, RestoreRequest } from './types.ts';

/** conmon's own log lines name the container; they go nowhere once it runs, so only its refusals are seen. */
const CONMON_DIRECTORIES = ['/usr/libexec/podman', '/usr/lib/podman', '/usr/lib/crio/bin'];

export const pidFile = (store: StorePaths, id: string): string => join(runDirectory(store, id), 'pidfile');
export const monitorPidFile = (store: StorePaths, id: string): string =>
  join(runDirectory(store, id), 'conmon.pid');
const runtimeLog = (store: StorePaths, id: string): string => join(runDirectory(store, id), 'oci-log');

/**
 * Lets conmon create the container: its init process exists and waits for the runtime's `start`; the attach socket is
 * open. conmon stays as its parent, writes the log and, at the end, the exit file, and then runs the exit command. Not
 * idempotent. On failure nothing of it runs any more, but the runtime may still hold a record: delete it with force.
 */
export const createContainer = (request: MonitorRequest): Promise<MonitoredContainer> =>
  launch(request, [], {}, (message) => failRuntime(request.runtime.name, message));

/**
 * Lets conmon restore the container from CRIU's images; on return its processes run. On failure: RESTORE_FAILED with
 * the runtime's message and restore.log, which is kept in the bundle; the images are untouched.
 */
export const restoreContainer = (request: RestoreRequest): Promise<MonitoredContainer> => {
  const { store, config, runtime, restore } = request;
  const bundle = bundleDirectory(store, config.id);
  const log = join(bundle, 'restore.log');
  // A log of an earlier restore must not explain this one.
  rmSync(log, { force: true });
  const args = [
    '--restore',
    restore.imagePath,
    ...runtime.restoreArgs(restore).map((arg) => `--runtime-opt=${arg}`),
  ];
  const launched = launch(request, args, request.criuEnvironment ?? {}, async (message) =>
    fail('RESTORE_FAILED', {
      message: `${runtime.name}: ${message.split('\n')[0] ?? ''}`,
      log: await criuLogDetails(log),
    }),
  );
  return withoutAbandoned(bundle, launched);
};

async function launch(
  request: MonitorRequest,
  extraArgs: readonly string[],
  environment: Readonly<Record<string, string>>,
  onFailure: (message: string) => Promise<never> | never,
): Promise<MonitoredContainer> {
  const { store, config } = request;
  mkdirSync(runDirectory(store, config.id), { recursive: true, mode: 0o711 });
  mkdirSync(exitsDirectory(store), { recursive: true, mode: 0o700 });
  forgetExit(store, config.id);
  const log = runtimeLog(store, config.id);
  rmSync(log, { force: true });
  rmSync(monitorPidFile(store, config.id), { force: true });
  const program = conmonProgram();
  const command = [program, ...conmonArgs(request), ...extraArgs];
  // conmon makes its console socket in TMPDIR; the address of a socket may have 107 bytes, so a long one would fail.
  const starting = startDaemon(
    command,
    {
      ...environment,
      _OCI_SYNCPIPE: String(REPORT_FD),
      TMPDIR: '/tmp',
    },
    request.inherit,
  );
  const answer = parseReport(await untilAborted(request, starting));
  if (answer.pid === undefined) {
    const logged = existsSync(log) ? lastLoggedError(await readFile(log, 'utf8')) : undefined;
    return onFailure(logged ?? answer.message);
  }
  // Its first process, which notes it, may have been killed when the monitor had gone its own way.
  const monitorPid = notedMonitor(store, config.id) || (processStat(answer.pid)?.parent ?? 0);
  return { pid: answer.pid, monitorPid };
}

/** 0 where nothing is noted. */
function notedMonitor(store: StorePaths, id: string): number {
  const file = monitorPidFile(store, id);
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
}

/** An interruption ends the runtime with all that it has started. conmon then reports that it failed. */
async function untilAborted<T>({ store, config, signal }: MonitorRequest, starting: Promise<T>): Promise<T> {
  let isOver = false;
  const endRuntime = async (): Promise<void> => {
    await waitFor(() => {
      if (!isOver) killBelow(notedMonitor(store, config.id));
      return isOver;
    }, Number.POSITIVE_INFINITY);
  };
  signal?.addEventListener('abort', endRuntime, { once: true });
  try {
    return await starting;
  } finally {
    isOver = true;
    signal?.removeEventListener('abort', endRuntime);
  }
}

function killBelow(monitor: number): void {
  if (monitor === 0) return;
  for (const { pid } of processTree(monitor).slice(1)) signalIfThere(pid, 'SIGKILL');
}

function conmonProgram(): string {
  return (
    findProgram('conmon', CONMON_DIRECTORIES) ??
    fail('PROGRAM_MISSING', {
      message: 'could not start the container: the program conmon is not installed',
      hint: 'Install the package conmon.',
    })
  );
}

/** conmon(8); the meaning of some options is told only by its sources (cli.c, runtime_args.c). */
function conmonArgs({ store, runtime, config, exitCommand }: MonitorRequest): string[] {
  const { id } = config;
  const runtimeArgs = [...runtime.globalArgs, '--log', runtimeLog(store, id), '--log-format', 'json'];
  const [exitProgram, ...exitArgs] = exitCommand;
  return [
    '--api-version',
    ...['--cid', id, '--cuuid', id, '--name', config.name],
    ...['--runtime', runtime.path],
    ...runtimeArgs.map((arg) => `--runtime-arg=${arg}`),
    ...['--bundle', bundleDirectory(store, id)],
    ...['--container-pidfile', pidFile(store, id), '--conmon-pidfile', monitorPidFile(store, id)],
    ...['--exit-dir', exitsDirectory(store)],
    // The attach socket lies in the bundle, however long its path is.
    '--full-attach',
    ...logArgs(config),
    ...(config.tty ? ['--terminal'] : config.interactive ? ['--stdin'] : []),
    ...(exitProgram === undefined ? [] : ['--exit-command', exitProgram]),
    ...exitArgs.map((arg) => `--exit-command-arg=${arg}`),
  ];
}

function logArgs({ logDriver, logPath, logSizeMax }: MonitorRequest['config']): string[] {
  if (logDriver === 'none') return ['--log-path', 'none'];
  // conmon cuts the path at a colon and would write elsewhere.
  if (logPath.includes(':')) {
    fail('USAGE', { message: `log path "${logPath}": conmon cannot write to a path with a colon` });
  }
  return [
    '--log-path',
    `k8s-file:${logPath}`,
    ...(logSizeMax === undefined ? [] : [`--log-size-max=${logSizeMax}`]),
  ];
}

/** conmon's answer: `{"data": PID}`, or `{"data": -1, "message": TEXT}` (parent_pipe_fd.c). */
function parseReport({ line, stderr, code }: DaemonReport): {
  readonly pid?: number;
  readonly message: string;
} {
  const silent =
    decisiveLine(stderr) || `conmon ended with status ${code ?? 'unknown'} and without a message`;
  if (line === '') return { message: silent };
  const value: unknown = JSON.parse(line);
  if (typeof value !== 'object' || value === null) return { message: silent };
  if ('data' in value && typeof value.data === 'number' && value.data > 0) {
    return { pid: value.data, message: '' };
  }
  const said = 'message' in value ? decisiveLine(String(value.message)) : '';
  return { message: said === '' ? silent : said };
}

/** How the container ended, from conmon's exit file; undefined while it runs or before it ever did. */
export function readExit(store: StorePaths, id: string): ContainerExit | undefined {
  const path = join(exitsDirectory(store), id);
  try {
    const { mtimeMs } = statSync(path);
    const text = readFileSync(path, 'utf8');
    // conmon renames a complete file into place; an empty one can only be left by a full disk.
    return text === '' ? undefined : { code: Number(text), finishedAt: mtimeMs };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Removes the exit file. Idempotent. createContainer and restoreContainer do it themselves. */
export function forgetExit(store: StorePaths, id: string): void {
  rmSync(join(exitsDirectory(store), id), { force: true });
}

/** The first line of `conmon --version`. */
export async function monitorVersion(): Promise<string> {
  const text = await runOk([conmonProgram(), '--version'], "ask for conmon's version");
  return text.split('\n')[0] ?? '';
}
