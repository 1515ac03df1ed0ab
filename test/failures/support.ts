import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { waitFor } from '../../src/system/clock.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import type { Result, Sandbox } from '../fixtures/sandbox.ts';

/** Starts a container that runs a Perl program, and waits until the program says that it is `ready`. */
export async function startPerl(
  box: Sandbox,
  name: string,
  code: string,
  options: readonly string[] = [],
): Promise<void> {
  const program = `$| = 1; ${code}; print "ready\\n"; sleep 1 while 1;`;
  await box.ok(['run', '-d', '--name', name, ...options, await box.image('perl'), 'perl', '-e', program]);
  const log = (): Promise<string> => box.ok(['logs', name]);
  const ready = await waitFor(async () => (await log()).includes('ready'), LIMIT_MS);
  assert.ok(ready, `the program of ${name} is not ready: ${await log()}`);
}

const status = (box: Sandbox, name: string): Promise<string> =>
  box.ok(['inspect', '--format', '{{.State.Status}}:{{.State.Checkpointed}}', name]);

/** The error names `words`, gives a hint, quotes the log and keeps it; returns what was printed. */
function assertExplained({ code, stdout, stderr }: Result, words: RegExp, hint: RegExp): void {
  assert.equal(code, 125);
  assert.equal(stdout, '');
  assert.match(stderr, words);
  assert.match(stderr, new RegExp(`^Hint: .*${hint.source}`, 'm'));
}

function assertLogKept({ stderr }: Result): void {
  const path = /^Log: (.+)$/m.exec(stderr)?.[1] ?? '';
  assert.ok(existsSync(path), `the log is kept: ${stderr}`);
  assert.match(stderr, /^ {2}\| .*Error \(/m, 'decisive lines are quoted');
}

/** A checkpoint that must fail before or in the dump, with the container running on. */
export async function assertNotFrozen(
  box: Sandbox,
  name: string,
  words: RegExp,
  hint: RegExp,
  { preflight = false } = {},
): Promise<void> {
  const result = await box.cryopod(['container', 'checkpoint', name]);
  assertExplained(result, words, hint);
  if (!preflight) assertLogKept(result);
  assert.equal(await status(box, name), 'running:false');
  assert.equal((await box.cryopod(['exec', name, 'true'])).code, 0, 'it runs on');
}

/** A restore that must fail, with the checkpoint left whole. */
export async function assertNotThawed(
  box: Sandbox,
  name: string,
  words: RegExp,
  hint: RegExp,
): Promise<void> {
  const result = await box.cryopod(['container', 'restore', name]);
  assertExplained(result, words, hint);
  assertLogKept(result);
  assert.equal(await status(box, name), 'exited:true');
}
