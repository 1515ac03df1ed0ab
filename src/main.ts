import { setMaxListeners } from 'node:events';
import { realpathSync } from 'node:fs';
import type { CliContext } from './cli/context.ts';
import { resolve } from './cli/parse/resolve.ts';
import { renderError } from './cli/render/error.ts';
import { progressMode, renderProgress } from './cli/render/progress.ts';
import { TREE } from './cli/tree.ts';
import type { EngineContext } from './engine/context.ts';
import { CryopodError, ERROR_TABLE, fail } from './model/errors.ts';
import type { Progress } from './model/progress.ts';
import { isLogLevel, setLogLevel } from './system/log.ts';

/** argv that runs this very program again: what the monitor calls when a container has ended. */
function selfCommand(): string[] {
  // The executable (scripts/build.ts) is program and runtime in one.
  if (process.versions.bun !== undefined) return [process.execPath];
  return [process.execPath, ...process.execArgv, realpathSync(process.argv[1] ?? '')];
}

interface Globals {
  readonly root: string;
  readonly runroot: string;
  readonly runtime: string | undefined;
  readonly cgroupManager: string | undefined;
  readonly logLevel: string;
  readonly progress: string;
  readonly timeout: number | undefined;
}

function makeContext(globals: Globals, argv: readonly string[]): CliContext {
  const signals = watchSignals();
  let opened: Promise<EngineContext> | undefined;
  return {
    engine: () => {
      opened ??= open(globals, signals.signal);
      return opened;
    },
    print: (text) => {
      process.stdout.write(text);
    },
    complain: (error) => {
      process.stderr.write(renderError(error));
    },
    ...signals,
    takeStreams: () => {
      if (process.stdin.isTTY || process.stdout.isTTY) {
        fail('USAGE', { message: 'this command speaks with a program, not with a terminal' });
      }
      process.stdout.off('error', endWithReader);
      return { input: process.stdin, output: process.stdout };
    },
    argv,
  };
}

function progressTo(wanted: string): Progress {
  if (!['auto', 'json', 'none'].includes(wanted)) {
    fail('USAGE', { message: `invalid --progress "${wanted}": must be auto, json or none` });
  }
  const { stderr } = process;
  const mode = progressMode(stderr.isTTY && wanted === 'auto', wanted === 'json');
  return renderProgress(mode, { write: (text) => stderr.write(text), columns: stderr.columns });
}

async function open(globals: Globals, signal: AbortSignal): Promise<EngineContext> {
  const { openEngine } = await import('./engine/open.ts');
  const manager = globals.cgroupManager;
  if (manager !== undefined && manager !== 'cgroupfs' && manager !== 'systemd') {
    fail('USAGE', { message: `invalid --cgroup-manager "${manager}": must be cgroupfs or systemd` });
  }
  return await openEngine({
    store: { root: globals.root, runroot: globals.runroot },
    runtime: globals.runtime,
    cgroupManager: manager,
    self: selfCommand(),
    progress: progressTo(globals.progress),
    signal,
    lockTimeout: globals.timeout === undefined ? undefined : globals.timeout * 1000,
  });
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;
const INTERRUPTIONS: readonly string[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** The first interruption asks the command to undo and end; a second one ends it at once. A command may take over. */
function watchSignals(): Pick<CliContext, 'signal' | 'takeSignals'> {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  const interrupt = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(ERROR_TABLE.INTERRUPTED.exit);
    controller.abort(new CryopodError('INTERRUPTED', { message: `interrupted by ${name}` }));
  };
  for (const name of INTERRUPTIONS) process.on(name, interrupt);
  return {
    signal: controller.signal,
    takeSignals: (handler) => {
      for (const name of INTERRUPTIONS) process.off(name, interrupt);
      for (const name of SIGNALS) process.on(name, handler);
      return () => {
        for (const name of SIGNALS) process.off(name, handler);
        for (const name of INTERRUPTIONS) process.on(name, interrupt);
      };
    },
  };
}

async function main(argv: readonly string[]): Promise<number> {
  const invocation = await resolve(TREE, argv);
  if (invocation.kind === 'text') {
    process[invocation.stream].write(invocation.text);
    return invocation.exit;
  }
  const level = invocation.globals.logLevel;
  if (!isLogLevel(level)) fail('USAGE', { message: `log level "${level}" is not supported` });
  setLogLevel(level);
  const ctx = makeContext(invocation.globals, argv);
  try {
    return await invocation.run(ctx);
  } catch (error) {
    if (!ctx.signal.aborted || !(error instanceof CryopodError) || error.code === 'INTERRUPTED') throw error;
    const { message } = ctx.signal.reason as Error;
    throw new CryopodError('INTERRUPTED', { message: `${message}: ${error.message}`, cause: error });
  }
}

/** Output to a reader that has gone away (`cryopod ps | head -1`) is not an error worth a stack trace. */
function endWithReader(error: NodeJS.ErrnoException): void {
  process.exit(error.code === 'EPIPE' ? 0 : ERROR_TABLE.INTERNAL.exit);
}
process.stdout.on('error', endWithReader);

// Nor are diagnostics that nobody can read any more, as those of a process that outlives the command that started it.
process.stderr.on('error', () => undefined);

/** A function of its own because the bundle is CommonJS, which starts faster but has no await at the top level. */
async function start(): Promise<void> {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(renderError(error));
    process.exitCode = error instanceof CryopodError ? error.exitStatus : ERROR_TABLE.INTERNAL.exit;
  }
}

process.umask(0o077);
void start();
