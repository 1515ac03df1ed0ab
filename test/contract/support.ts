import assert from 'node:assert/strict';
import { join } from 'node:path';
import { waitFor } from '../../src/system/clock.ts';
import { runOk } from '../../src/system/process.ts';
import { imageName } from '../fixtures/images.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import type { Sandbox } from '../fixtures/sandbox.ts';

export { type Sandbox, withSandbox } from '../fixtures/sandbox.ts';

export const IMAGE = imageName('busybox');

/** A shell script that counts up: one line each 50 ms. */
export const COUNT = 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done';

/** Starts a container in the background from a shell script; returns its full ID. */
export const start = (box: Sandbox, name: string, script: string, ...options: string[]): Promise<string> =>
  box.ok(['run', '-d', '--name', name, ...options, IMAGE, 'sh', '-c', script]);

const SCRIPT = join(import.meta.dirname, '../../scripts/base-image.sh');

/** Like {@link start}, with the program flock, which busybox of some distributions lacks. */
export async function startWithFlock(box: Sandbox, name: string, script: string): Promise<string> {
  const archive = join(box.directory, 'flock.tar');
  await runOk(['sh', SCRIPT, 'busybox', archive, '/usr/bin/flock'], 'build an image with flock');
  await box.ok(['import', '--quiet', archive, 'localhost/flock:latest']);
  return await box.ok(['run', '-d', '--name', name, 'localhost/flock', 'sh', '-c', script]);
}

export const inspect = (box: Sandbox, name: string, template: string): Promise<string> =>
  box.ok(['inspect', '--type', 'container', '--format', template, name]);

/** `running:true:false:false`: status, running, paused, checkpointed. */
export const stateOf = (box: Sandbox, name: string): Promise<string> =>
  inspect(box, name, '{{.State.Status}}:{{.State.Running}}:{{.State.Paused}}:{{.State.Checkpointed}}');

export const CHECKPOINTED = 'exited:false:false:true';
export const RUNNING = 'running:true:false:false';

export const checkpoint = (box: Sandbox, ...args: string[]): Promise<string> =>
  box.ok(['container', 'checkpoint', ...args]);
export const restore = (box: Sandbox, ...args: string[]): Promise<string> =>
  box.ok(['container', 'restore', ...args]);

/** What a shell script in the container prints. */
export const inside = (box: Sandbox, name: string, script: string): Promise<string> =>
  box.ok(['exec', name, 'sh', '-c', script]);

/** Lines that the container has written so far. */
export async function logLines(box: Sandbox, name: string): Promise<string[]> {
  return (await box.ok(['logs', name])).split('\n').filter((line) => line !== '');
}

/** Polls until the condition holds; fails with `what` when it does not come true. */
export async function eventually(what: string, condition: () => Promise<boolean>): Promise<void> {
  assert.ok(await waitFor(condition, LIMIT_MS), `${what}: not within ${LIMIT_MS} ms`);
}

/** Waits until the container has written at least so many lines. */
export const untilLines = (box: Sandbox, name: string, count: number): Promise<void> =>
  eventually(`${count} lines from ${name}`, async () => (await logLines(box, name)).length >= count);

/** Lines count up by one from 1 without a gap or a repetition: no round of freezing lost or repeated anything. */
export function assertCounts(lines: readonly string[]): void {
  assert.deepEqual(
    lines,
    lines.map((_, index) => String(index + 1)),
  );
}

/** The command fails as podman's commands do: exit status 125, nothing on stdout, `Error: …` first on stderr. */
export async function assertRefused(
  box: Sandbox,
  args: readonly string[],
  message: string | RegExp,
): Promise<void> {
  const result = await box.cryopod(args);
  const [first = ''] = result.stderr.split('\n');
  if (typeof message === 'string') assert.equal(first, `Error: ${message}`);
  else assert.match(first, message);
  assert.deepEqual([result.code, result.stdout], [125, '']);
}
