import assert from 'node:assert/strict';
import { waitFor } from '../../../src/system/clock.ts';
import { run } from '../../../src/system/process.ts';

/** One thing that the guest tries; a test of its own on the host. */
export interface Scenario {
  /** The test's name, a sentence. */
  readonly name: string;
  readonly run: (note: Note) => Promise<void>;
}

/** Tells what was seen; the host's test shows it. */
export type Note = (line: string) => void;

/** How a scenario went: what the guest tells the host in results.json. */
export interface Outcome {
  readonly name: string;
  readonly notes: readonly string[];
  /** What went wrong, with its stack; missing where all went well. */
  readonly error?: string;
  /** Seconds that it took. */
  readonly seconds: number;
}

/** Milliseconds for one command. The guest is slow, and one command that hangs must not cost the others their turn. */
const PATIENCE = 60_000;

/**
 * Runs a command that must end with status 0; returns its stdout without white space around it. `timeout` in milliseconds.
 */
export async function ok(command: readonly string[], cwd?: string, timeout = PATIENCE): Promise<string> {
  const { code, stdout, stderr } = await run(command, { cwd, timeout });
  assert.equal(code, 0, `${command.join(' ')} ended with ${code}: ${stdout}${stderr}`);
  return stdout.trim();
}

/** Starts a program that outlives its command, and so must not hold the pipes of it. */
export async function start(command: readonly string[], cwd: string): Promise<void> {
  const { code } = await run(command, { cwd, timeout: PATIENCE, stdout: 'ignore', stderr: 'ignore' });
  assert.equal(code, 0, `${command.join(' ')} ended with ${code}`);
}

/** Waits until `ask` gives an answer. */
export async function waitUntil<T>(
  what: string,
  ask: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const answer = await waitFor(ask, PATIENCE);
  assert.ok(answer !== undefined, `${what} within ${PATIENCE / 1000} s`);
  return answer;
}
