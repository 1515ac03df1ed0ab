import assert from 'node:assert/strict';
import { waitFor } from '../../src/system/clock.ts';
import type { Sandbox } from '../fixtures/sandbox.ts';

/** The port of the host that leads to `port` in the container. */
export async function publishedPort(box: Sandbox, name: string, port: number): Promise<number> {
  const answer = await box.ok(['port', name, `${port}/tcp`]);
  return Number(answer.slice(answer.lastIndexOf(':') + 1));
}

/** Freezes the container with its TCP connections, does `meanwhile`, and thaws it. Returns the milliseconds it took. */
export async function freezeAndThaw(
  box: Sandbox,
  name: string,
  meanwhile: () => Promise<void>,
): Promise<number> {
  const begun = performance.now();
  await box.ok(['container', 'checkpoint', '--tcp-established', name]);
  assert.equal(await box.ok(['inspect', '--format', '{{.State.Running}}', name]), 'false');
  await meanwhile();
  await box.ok(['container', 'restore', '--tcp-established', name]);
  return performance.now() - begun;
}

/**
 * Fails the test when `condition` does not come true within `limit` milliseconds; the message says `what`. Long enough
 * by default for a client's TCP to try again after a thaw: its pauses double while nothing answers.
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limit = 20_000,
): Promise<void> {
  assert.ok(await waitFor(condition, limit), `not within ${limit} ms: ${what}`);
}
