import assert from 'node:assert/strict';
import { waitFor } from '../../src/system/clock.ts';
import { LIMIT_MS } from '../fixtures/limit.ts';
import type { Sandbox } from '../fixtures/sandbox.ts';

/** What a container that counts into its log has come to; waits for its first number. */
export async function lastNumber(box: Sandbox, name: string): Promise<number> {
  const found = await waitFor(async () => {
    const line = (await box.ok(['logs', '--tail', '1', name])).split('\n').at(-1);
    return line === '' ? undefined : Number(line);
  }, LIMIT_MS);
  return found ?? assert.fail(`${name} does not count`);
}
