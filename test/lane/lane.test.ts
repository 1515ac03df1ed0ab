import assert from 'node:assert/strict';
import { before, describe, type TestContext, test } from 'node:test';
import { SCENARIOS } from './guest/scenarios.ts';
import { type Lane, ONLY, runLane } from './host.ts';

/** Scenarios on a kernel with soft-dirty tracking, all in one boot of a QEMU guest; docs/lane.md tells more. */
describe('in a guest whose kernel tracks changed pages', () => {
  let lane: Lane;
  before(async () => {
    lane = await runLane();
  });
  const chosen = SCENARIOS.filter(({ name }) => name.includes(ONLY));
  for (const { name } of chosen) test(name, (t) => report(t, lane, name));
});

function report(t: TestContext, lane: Lane, name: string): void {
  if (lane.unavailable !== undefined) {
    t.skip(lane.unavailable);
    return;
  }
  const outcome = lane.outcomes.find((one) => one.name === name);
  assert.ok(outcome, `the guest did not come to it; ${lane.ending}\n\nthe console: ${lane.console}`);
  for (const note of outcome.notes) t.diagnostic(note);
  t.diagnostic(`${outcome.seconds.toFixed(1)} s in the guest`);
  if (outcome.error !== undefined) assert.fail(`${outcome.error}\n\nthe console: ${lane.console}`);
}
