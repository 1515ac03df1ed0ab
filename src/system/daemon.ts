import { spawn } from 'node:child_process';
import { fail } from '../model/errors.ts';
import { logDebug } from './log.ts';
import { childEnvironment } from './tools.ts';
import { beginTrace } from './trace.ts';

/** File descriptor on which the child finds the pipe for its report. */
export const REPORT_FD = 3;

/** What a daemon said before it went its own way. */
export interface DaemonReport {
  /** First line on {@link REPORT_FD}, without the line break; empty when it ended without one. */
  readonly line: string;
  readonly stderr: string;
  /** Exit status of the process that was started (a daemon's first process ends once the daemon has forked). */
  readonly code: number | undefined;
}

/**
 * Starts a program that forks itself into the background and waits for its one-line report. The child gets its own
 * session, `/` as its directory and none of the caller's files, so that neither the caller's end nor its terminal
 * touches it; those of `inherit` it keeps. `command` is an argv array with an absolute program. The daemon survives this process.
 */
export function startDaemon(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  inherit: readonly number[] = [],
): Promise<DaemonReport> {
  const [program = '', ...args] = command;
  logDebug(`start ${command.join(' ')}`);
  const child = spawn(program, args, {
    cwd: '/',
    detached: true,
    env: childEnvironment(env),
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', ...inherit],
  });
  const endTrace = beginTrace(`start ${command.join(' ')}`, child.pid);
  const report = child.stdio[REPORT_FD];
  const errors = child.stderr;
  if (report === null || report === undefined || errors === null) {
    return fail('INTERNAL', { message: 'a daemon was started without its pipes' });
  }
  return new Promise((resolve, reject) => {
    let line: string | undefined;
    let text = '';
    let stderr = '';
    let code: number | undefined | null;
    const settle = (): void => {
      if (line === undefined || code === undefined) return;
      report.destroy();
      errors.destroy();
      endTrace();
      resolve({ line, stderr, code: code ?? undefined });
    };
    errors.on('data', (chunk: Buffer) => {
      stderr += chunk.toString('utf8');
    });
    report.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      const end = text.indexOf('\n');
      if (end >= 0) line = text.slice(0, end);
      settle();
    });
    report.once('end', () => {
      line ??= text;
      settle();
    });
    child.once('error', reject);
    child.once('exit', (status) => {
      code = status;
      settle();
    });
  });
}
