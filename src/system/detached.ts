import { spawn } from 'node:child_process';
import { logDebug } from './log.ts';
import { childEnvironment } from './tools.ts';

/**
 * Starts a program that goes its own way: in a session of its own, in `/`, with none of the caller's files, so that neither
 * the caller's end nor its terminal touches it. Whether it comes to run is not known when this returns.
 */
export function startDetached(command: readonly string[], env: Readonly<Record<string, string>>): void {
  const [program = '', ...args] = command;
  logDebug(`start ${command.join(' ')}`);
  const child = spawn(program, args, {
    cwd: '/',
    detached: true,
    env: childEnvironment(env),
    stdio: 'ignore',
  });
  // Where it cannot be started, the next command tries again.
  child.on('error', () => undefined);
  child.unref();
}
