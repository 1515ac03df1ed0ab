import type { Scenario } from './scenario.ts';
import { FACTS } from './scenarios/facts.ts';
import { PODMAN } from './scenarios/podman.ts';
import { RUNC } from './scenarios/runc.ts';

/** In the order in which they are run: what a later one stands on comes before it. */
export const SCENARIOS: readonly Scenario[] = [...FACTS, ...RUNC, ...PODMAN];
