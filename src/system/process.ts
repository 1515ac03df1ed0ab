import { AsyncLocalStorage } from 'node:async_hooks';
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { errnoOf, fail } from '../model/errors.ts';
import { logDebug } from './log.ts';
import { childEnvironment } from './tools.ts';
import { beginTrace } from './trace.ts';

/** How a child ended. The same shape on success and failure; nothing throws for a non-zero exit. */
export interface RunResult {
  readonly command: readonly string[];
  /** Exit status, or undefined where `signal` or `missing` tells more. */
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  /** The program is not installed. */
  readonly missing: boolean;
  readonly stdout: string;
  readonly stderr: string;
  readonly ok: boolean;
}

type StdioTarget = 'pipe' | 'ignore' | 'inherit' | number;

export interface RunOptions {
  readonly cwd?: string | undefined;
  /** Added to the clean environment (PATH, HOME, LANG=C.UTF-8 and little else). */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Text for stdin, or a file descriptor. Default: /dev/null. */
  readonly input?: string | number | undefined;
  /** Told about the child once it runs: to relay its streams or its PID. Its end is still awaited here. */
  readonly onSpawn?: ((child: ChildProcess) => void) | undefined;
  /** Takes the place of `input`: 'pipe' where onSpawn feeds the child's stdin. */
  readonly stdin?: 'pipe' | undefined;
  /** Default: captured, at most `maxOutput` bytes of each. 'stream': read by whom onSpawn gives it to, however slowly. */
  readonly stdout?: StdioTarget | 'stream' | undefined;
  readonly stderr?: StdioTarget | undefined;
  /** File descriptors that the child gets as 3, 4, … */
  readonly extraFds?: readonly number[] | undefined;
  /** A session of its own (default): signals from the terminal reach cryopod alone, which ends its programs in order. */
  readonly newSession?: boolean | undefined;
  /** The child's umask, where it is not to be cryopod's own of 0077. */
  readonly umask?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until TERM; KILL follows 5 s later. */
  readonly timeout?: number | undefined;
  /** Bytes of output kept (the last ones). Default 1 MiB. */
  readonly maxOutput?: number | undefined;
}

const ambientSignal = new AsyncLocalStorage<AbortSignal>();

/** Runs `work`; the programs that it starts end when `signal` aborts, unless they are run with a signal of their own. */
export const interruptible = <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> =>
  ambientSignal.run(signal, work);

const KILL_AFTER_MS = 5000;
const DEFAULT_MAX_OUTPUT = 1 << 20;

/**
 * Runs a program to its end. `command` is an argv array; nothing is ever interpreted by a shell. Ends it with TERM,
 * then KILL, when `signal` aborts or `timeout` passes. Resolves for every outcome, a missing program included.
 */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [program, ...args] = command;
  if (program === undefined) return fail('INTERNAL', { message: 'run() was called without a program' });
  logDebug(`run ${command.join(' ')}`);
  const child = withUmask(options.umask, () => spawn(program, args, spawnOptions(options)));
  const endTrace = beginTrace(command.join(' '), child.pid);
  if (child.pid !== undefined) options.onSpawn?.(child);
  const isRead = options.stdout === 'stream';
  const stdout = isRead ? () => '' : collect(child, 'stdout', options.maxOutput ?? DEFAULT_MAX_OUTPUT);
  const stderr = collect(child, 'stderr', options.maxOutput ?? DEFAULT_MAX_OUTPUT);
  if (typeof options.input === 'string' && child.stdin !== null) {
    // A child that ends without reading its input makes this pipe break; its exit status tells the story.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input);
  }
  const ending = watchForEnd(child, { ...options, signal: options.signal ?? ambientSignal.getStore() });
  const { code, signal, missing } = await ending;
  endTrace();
  return {
    command,
    code: code ?? undefined,
    signal: signal ?? undefined,
    missing,
    stdout: stdout(),
    stderr: stderr(),
    ok: code === 0,
  };
}

/** Like {@link run}, but fails with PROGRAM_MISSING or PROGRAM_FAILED and returns stdout. `doing` completes "could not …". */
export async function runOk(
  command: readonly string[],
  doing: string,
  options: RunOptions = {},
): Promise<string> {
  const result = await run(command, options);
  if (result.ok) return result.stdout;
  return failRun(result, doing);
}

/** Turns the unhappy result of a program into the error that names it. */
export function failRun(result: RunResult, doing: string): never {
  const program = result.command[0] ?? '';
  if (result.missing) {
    fail('PROGRAM_MISSING', {
      message: `could not ${doing}: the program ${program} is not installed`,
      hint: `Install it (cryopod doctor lists what is missing) or run scripts/setup.sh.`,
    });
  }
  const ending = result.signal === undefined ? `exit status ${result.code}` : `killed by ${result.signal}`;
  const output = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-5).join('; ');
  fail('PROGRAM_FAILED', {
    message: `could not ${doing}: ${program} failed (${ending})${output === '' ? '' : `: ${output}`}`,
  });
}

/** The child inherits it at the moment when it is made; nothing else of this process runs meanwhile. */
function withUmask<T>(umask: number | undefined, work: () => T): T {
  if (umask === undefined) return work();
  const own = process.umask(umask);
  try {
    return work();
  } finally {
    process.umask(own);
  }
}

function spawnOptions(options: RunOptions): SpawnOptions {
  const stdin =
    options.stdin ??
    (options.input === undefined ? 'ignore' : typeof options.input === 'string' ? 'pipe' : options.input);
  return {
    cwd: options.cwd,
    detached: options.newSession ?? true,
    env: childEnvironment(options.env),
    stdio: [
      stdin,
      options.stdout === 'stream' ? 'pipe' : (options.stdout ?? 'pipe'),
      options.stderr ?? 'pipe',
      ...(options.extraFds ?? []),
    ],
  };
}

function collect(child: ChildProcess, which: 'stdout' | 'stderr', limit: number): () => string {
  const stream = child[which];
  if (stream === null) return () => '';
  const chunks: Buffer[] = [];
  let held = 0;
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    held += chunk.length;
    while (held > limit && chunks.length > 1) held -= chunks.shift()?.length ?? 0;
  });
  return () => Buffer.concat(chunks).toString('utf8');
}

interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly missing: boolean;
}

function watchForEnd(child: ChildProcess, options: RunOptions): Promise<Ending> {
  return new Promise((resolve, reject) => {
    let killTimer: NodeJS.Timeout | undefined;
    const terminate = (): void => {
      child.kill('SIGTERM');
      killTimer ??= setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
    };
    const timer = options.timeout === undefined ? undefined : setTimeout(terminate, options.timeout);
    if (options.signal?.aborted === true) terminate();
    options.signal?.addEventListener('abort', terminate, { once: true });
    const settle = (): void => {
      clearTimeout(timer);
      clearTimeout(killTimer);
      options.signal?.removeEventListener('abort', terminate);
    };
    child.once('error', (error: NodeJS.ErrnoException) => {
      settle();
      if (error.code === 'ENOENT') resolve({ code: null, signal: null, missing: true });
      else reject(error);
    });
    child.once('exit', () => closeWhenQuiet(child, options));
    child.once('close', (code, signal) => {
      settle();
      resolve({ code, signal, missing: false });
    });
  });
}

/** Milliseconds in which a program that has ended must have been read. */
const QUIET_MS = 1000;

/** What a program has left behind may hold its pipes open for good: they are let go once nothing comes any more. */
function closeWhenQuiet(child: ChildProcess, { stdout }: RunOptions): void {
  const collected = stdout === 'stream' ? [child.stderr] : [child.stdout, child.stderr];
  const streams = collected.filter((stream) => stream !== null);
  const timer = setTimeout(() => {
    for (const stream of streams) stream.destroy();
  }, QUIET_MS);
  for (const stream of streams) stream.on('data', () => timer.refresh());
  child.once('close', () => clearTimeout(timer));
}

/** Sends a signal to a process, or with a negative number to a group of them; one that has ended by now is left out. */
export function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}
