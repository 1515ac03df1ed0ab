import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isHeld } from '../../src/network/hold.ts';
import { sleep, waitFor } from '../../src/system/clock.ts';
import {
  bundleDirectory,
  historyDirectory,
  netnsPath,
  stagingDirectory,
} from '../../src/system/store-paths.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import type { Sandbox } from '../fixtures/sandbox.ts';
import type { Command } from './passes.ts';
import { assertSettled, IMAGE, idOf, lastLine, REMOVE } from './support.ts';

const runOf = (program: readonly string[], image = IMAGE): string[] => [
  ...['run', '-d', '--name', 'c', '-p', '127.0.0.1:0:80', '-v', 'data:/data', image],
  ...program,
];

const archiveOf = (box: Sandbox): string => join(box.directory, 'out', 'c.tar.zst');

/** A program that says how much memory it has and counts, line by line: `SIZE COUNT`. */
export interface Program {
  readonly image: string;
  readonly command: readonly string[];
}

/** A command that takes long, what must be there before it, and what takes its effect back. */
export interface Verb {
  readonly name: Command;
  readonly command: (box: Sandbox, program: Program) => string[];
  readonly begin: 'nothing' | 'running' | 'checkpointed' | 'archive';
  readonly undo: (box: Sandbox) => readonly (readonly string[])[];
}

const RESTORE = ['container', 'restore', 'c'];

export const VERBS: readonly Verb[] = [
  {
    name: 'run',
    command: (_, { image, command }) => runOf(command, image),
    begin: 'nothing',
    undo: () => [REMOVE, ['volume', 'rm', 'data']],
  },
  {
    name: 'checkpoint',
    command: () => ['container', 'checkpoint', 'c'],
    begin: 'running',
    undo: () => [RESTORE],
  },
  {
    name: 'checkpoint --leave-running',
    command: () => ['container', 'checkpoint', '--leave-running', 'c'],
    begin: 'running',
    undo: () => [],
  },
  {
    name: 'restore',
    command: () => ['container', 'restore', '--keep', 'c'],
    begin: 'checkpointed',
    undo: () => [['container', 'checkpoint', 'c']],
  },
  {
    name: 'export',
    command: (box) => ['container', 'checkpoint', '--export', archiveOf(box), 'c'],
    begin: 'running',
    undo: (box) => [REMOVE, ['volume', 'rm', 'data'], ['container', 'restore', '--import', archiveOf(box)]],
  },
  {
    name: 'import',
    command: (box) => ['container', 'restore', '--import', archiveOf(box)],
    begin: 'archive',
    undo: () => [REMOVE, ['volume', 'rm', 'data']],
  },
  {
    name: 'pre-checkpoint',
    command: () => ['container', 'checkpoint', '--pre-checkpoint', 'c'],
    begin: 'running',
    // Those before it go with the run of the container.
    undo: () => [['container', 'checkpoint', 'c'], RESTORE],
  },
  {
    name: 'tag --leave-running',
    command: () => ['container', 'checkpoint', '--leave-running', '--tag', 'kept', 'c'],
    begin: 'running',
    undo: () => [['checkpoint', 'rm', 'c@kept']],
  },
  {
    name: 'tag',
    command: () => ['container', 'checkpoint', '--tag', 'kept', 'c'],
    begin: 'running',
    undo: () => [RESTORE, ['checkpoint', 'rm', 'c@kept']],
  },
];

export async function begin(box: Sandbox, state: Verb['begin'], program: Program): Promise<void> {
  await mkdir(join(box.directory, 'out'));
  if (state === 'nothing') return;
  await box.ok(runOf(program.command, program.image));
  await counted(box, 0);
  if (state === 'checkpointed') await box.ok(['container', 'checkpoint', 'c']);
  if (state !== 'archive') return;
  await box.ok(['container', 'checkpoint', '--export', archiveOf(box), 'c']);
  await box.ok(REMOVE);
  await box.ok(['volume', 'rm', 'data']);
}

/** Waits until it has counted to more than `above`; gives the size of its memory and the count. */
export async function counted(box: Sandbox, above: number): Promise<{ size: number; count: number }> {
  const found = await waitFor(() => {
    const [size = 0, count = 0] = lastLine(box).split(' ').map(Number);
    return count > above ? { size, count } : undefined;
  }, LIMIT_MS);
  return found ?? assert.fail(`it counts on, above ${above}: ${lastLine(box)}`);
}

/** Directories of a container that hold checkpoints. An empty one of a CRIU that was ended may stay until the next release. */
const checkpointsOf = (box: Sandbox, id: string): string[] =>
  [bundleDirectory(box, id), historyDirectory(box, id)].flatMap((directory) =>
    existsSync(directory)
      ? readdirSync(directory, { withFileTypes: true })
          .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.criu.'))
          .map(({ name }) => name)
      : [],
  );

/** All that a user can see of the container. */
export async function seen(box: Sandbox): Promise<unknown> {
  const { stdout } = await box.cryopod(['container', 'inspect', 'c']);
  const container = JSON.parse(stdout || '[]') as { Id: string }[];
  const volumes = await box.ok(['volume', 'ls', '-q']);
  const names = await readdir(join(box.directory, 'out'));
  return { container, volumes, names, checkpoints: container.map(({ Id }) => checkpointsOf(box, Id)) };
}

export const isRunning = async (box: Sandbox): Promise<boolean> =>
  (await box.cryopod(['inspect', '--format', '{{.State.Status}}', 'c'])).stdout.trim() === 'running';

export interface Ended {
  readonly code: number | null;
  readonly stderr: string;
}

/** What was interrupted is as before, or done and then taken back. */
export async function assertUndone(
  box: Sandbox,
  verb: Verb,
  before: unknown,
  { code, stderr }: Ended,
): Promise<void> {
  const running = await isRunning(box);
  await assertSettled(box);
  if (existsSync(stagingDirectory(box))) assert.deepEqual(await readdir(stagingDirectory(box)), []);
  if (running) assert.equal(await isHeld(netnsPath(box, idOf(box))), false, 'its packets flow');
  if (code === 0) {
    for (const command of verb.undo(box)) await box.ok(command);
    if (verb.name === 'export') await rm(archiveOf(box));
    return;
  }
  assert.equal(code, 130, stderr);
  assert.match(stderr, /^Error: interrupted by SIG(?:INT|TERM)/m);
  assert.doesNotMatch(stderr, /internal error|^Also:/m);
  assert.deepEqual(await seen(box), before, stderr);
}

/**
 * Interrupts a command some milliseconds after it has begun, as the terminal does: the whole process group gets the
 * signal. `took`: milliseconds from the signal to the end, undefined where it had ended before.
 */
export async function interrupted(
  box: Sandbox,
  args: readonly string[],
  after: number,
): Promise<Ended & { readonly took: number | undefined }> {
  const [program = '', ...options] = box.argv;
  const child: ChildProcess = spawn(program, [...options, ...args], { detached: true });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdout?.resume();
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  await sleep(after);
  const isThere = child.exitCode === null && child.pid !== undefined;
  const at = performance.now();
  if (isThere && child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
  const code = await ended;
  const took = isThere ? performance.now() - at : undefined;
  // It had not begun to listen, nor anything else.
  return code === null ? { code: 130, stderr: 'Error: interrupted by SIGINT', took } : { code, stderr, took };
}
