import { writeFileSync } from 'node:fs';
import { discardAll } from './engines.ts';
import type { Outcome, Scenario } from './scenario.ts';
import { discardRuncContainer } from './scenarios/runc.ts';
import { SCENARIOS } from './scenarios.ts';

/**
 * Runs the scenarios in the guest, one after another, and writes how they went to the file that is named. A second argument
 * chooses those that have it in their names.
 */

async function play(scenario: Scenario): Promise<Outcome> {
  const notes: string[] = [];
  const begun = performance.now();
  const outcome = (error?: unknown): Outcome => ({
    name: scenario.name,
    notes,
    ...(error === undefined
      ? {}
      : { error: error instanceof Error ? (error.stack ?? error.message) : `${error}` }),
    seconds: (performance.now() - begun) / 1000,
  });
  try {
    await scenario.run((line) => {
      notes.push(line);
      console.log(`  ${line}`);
    });
    return outcome();
  } catch (error) {
    await cleanUp();
    return outcome(error);
  }
}

/** After a scenario that has failed: the next one must not stumble over what is left. */
async function cleanUp(): Promise<void> {
  try {
    await discardRuncContainer();
    await discardAll();
  } catch (error) {
    console.log(error);
  }
}

const [, , results = 'results.json', only = ''] = process.argv;
const outcomes: Outcome[] = [];
for (const scenario of SCENARIOS.filter(({ name }) => name.includes(only))) {
  console.log(scenario.name);
  const outcome = await play(scenario);
  outcomes.push(outcome);
  console.log(
    `${outcome.error === undefined ? 'ok' : `not ok: ${outcome.error}`} (${outcome.seconds.toFixed(1)} s)`,
  );
  // After each: what follows may hang until the guest's time is over.
  writeFileSync(results, JSON.stringify(outcomes));
}
if (outcomes.some(({ error }) => error !== undefined)) process.exitCode = 1;
