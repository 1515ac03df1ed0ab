import assert from 'node:assert/strict';
import { waitFor } from '../../src/system/clock.ts';
import type { Sandbox } from '../fixtures/sandbox.ts';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** How clients come to a service of a container. */
export interface Reach {
  /** Options of `run` for a service at `port`. */
  readonly options: (port: number) => string[];
  readonly endpoint: (box: Sandbox, name: string, port: number) => Promise<Endpoint>;
}

/** By a port of the host. */
export const PUBLISHED: Reach = {
  options: (port) => ['-p', `127.0.0.1::${port}`],
  endpoint: async (box, name, port) => {
    const answer = await box.ok(['port', name, `${port}/tcp`]);
    return { host: '127.0.0.1', port: Number(answer.slice(answer.lastIndexOf(':') + 1)) };
  },
};

/** By the container's own address in the segment of two hosts, which moves along. */
export const IN_SEGMENT: Reach = {
  options: () => ['--network', 'lan'],
  endpoint: async (box, name, port) => {
    const field = '{{.NetworkSettings.Networks.lan.IPAddress}}';
    return { host: await box.ok(['inspect', '--format', field, name]), port };
  },
};

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
