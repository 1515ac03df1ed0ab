import type { Container } from '../../model/container.ts';
import { type CheckpointFacts, checkpointFindings, needsLocalCheckpoint } from './checkpoint.ts';
import { type Finding, obstacle, roughly, warning } from './preflight/finding.ts';

export interface MigrateChoice {
  readonly tcpEstablished: boolean;
  readonly fileLocks: boolean;
  readonly keepSource: boolean;
}

export interface MigrateFacts extends CheckpointFacts {
  /** Names of the containers that join namespaces of this one. */
  readonly dependents: readonly string[];
  /** Names of its stored checkpoints, which would go with it. */
  readonly history: readonly string[];
}

/** Whether a container can leave this host. The first obstacle is what a migration is refused with. Pure. */
export const migrateFindings = (
  container: Container,
  choice: MigrateChoice,
  facts: MigrateFacts,
): readonly Finding[] => [
  ...checkpointFindings(
    container,
    { ...choice, keep: false, leaveRunning: false, exported: true },
    // Its memory goes over the link, not to the disk.
    { ...facts, leastBytes: 0 },
  ).filter(({ check }) => check !== 'space'),
  ...staysFindings(container, choice, facts),
  ...spaceFindings(facts),
];

const refused = (sentence: string, hint: string): Finding =>
  obstacle('state', 'MIGRATION_REFUSED', sentence, hint);

function staysFindings(
  container: Container,
  choice: MigrateChoice,
  { dependents, history }: MigrateFacts,
): Finding[] {
  const { name } = container.config;
  const found: Finding[] = [];
  if (dependents.length > 0) {
    const sentence = `cannot migrate ${name}: ${dependents.join(', ')} joined its namespaces`;
    found.push(refused(sentence, 'Remove those containers first.'));
  }
  if (history.length > 0 && !choice.keepSource) {
    const sentence = `cannot migrate ${name}: its named checkpoints (${history.join(', ')}) would be lost here`;
    found.push(
      refused(sentence, 'Give --keep-source, or export and remove them first: cryopod checkpoint export'),
    );
  }
  if (needsLocalCheckpoint(container, { ...choice, leaveRunning: false, keep: false })) {
    const sentence = `cannot migrate ${name} with its connections: it uses the network of this host, whose address stays here`;
    found.push(refused(sentence, 'Leave out --tcp-established, and close the connections first.'));
  }
  return found;
}

/** Only where the link breaks in the moment of the hand-over is memory written here. */
function spaceFindings({ memoryBytes, freeBytes, directory }: MigrateFacts): Finding[] {
  if (freeBytes >= memoryBytes) return [];
  const sentence = `should the link break in the moment of the hand-over, its memory of up to ${roughly(memoryBytes)} must be written here, and ${directory} has ${roughly(freeBytes)} free`;
  return [warning('space', sentence, 'It would stay frozen until there is room.')];
}
