import type { Scenario } from './scenario.ts';
import { ARCHIVES, PODMAN } from './scenarios/archives.ts';
import { CGROUPS } from './scenarios/cgroups.ts';
import { CRYOPOD } from './scenarios/cryopod.ts';
import { FACTS } from './scenarios/facts.ts';
import { MIGRATE } from './scenarios/migrate.ts';
import { RUNC } from './scenarios/runc.ts';

/** In the order in which they are run: what a later one stands on comes before it. */
export const SCENARIOS: readonly Scenario[] = [
  ...FACTS,
  ...RUNC,
  ...PODMAN,
  ...CGROUPS,
  ...CRYOPOD,
  ...ARCHIVES,
  ...MIGRATE,
];
