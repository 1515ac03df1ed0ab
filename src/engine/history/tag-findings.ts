import { checkTag, isStored } from '../../model/checkpoint.ts';
import type { Container } from '../../model/container.ts';
import { checkpointByName } from '../../state/checkpoints.ts';
import type { EngineContext } from '../context.ts';
import { fileBytes } from '../export-space.ts';
import { type CheckpointFacts, type CheckpointOptions, needsLocalCheckpoint } from '../plan/checkpoint.ts';
import { type Finding, obstacle, ok } from '../plan/preflight/finding.ts';

export interface TagChoice extends CheckpointOptions {
  readonly tag: string;
  /** The content of volumes is left out. */
  readonly ignoreVolumes: boolean;
}

/** Whether a checkpoint can have the name. Errors: USAGE for one that none can have. */
export function nameFinding(ctx: EngineContext, { config }: Container, tag: string): Finding {
  const holder = checkpointByName(ctx.db, config.id, checkTag(tag));
  if (holder === undefined || !isStored(holder)) return ok('name', tag);
  return obstacle(
    'name',
    'NAME_IN_USE',
    `container ${config.name} has a checkpoint ${tag} already; it goes on running`,
    `Choose another name, or remove it first: cryopod checkpoint rm ${config.name}@${tag}`,
  );
}

/** What a checkpoint under a name needs beyond what any other does. */
export async function tagFindings(
  ctx: EngineContext,
  container: Container,
  choice: TagChoice,
  facts: CheckpointFacts,
): Promise<Finding[]> {
  return [...connectionFindings(container, choice), ...(await spaceFindings(ctx, container, choice, facts))];
}

/** Nothing can hold their packets back while the processes end after the dump. */
function connectionFindings(container: Container, choice: TagChoice): Finding[] {
  if (!needsLocalCheckpoint(container, choice)) return [];
  const { name } = container.config;
  return [
    obstacle(
      'connections',
      'CHECKPOINT_REFUSED',
      `cannot keep a checkpoint of ${name} under a name and end it with --tcp-established: it is in the network of the host, where its connections would be closed; it goes on running`,
      'Use --leave-running with --tag, or checkpoint it without --tag.',
    ),
  ];
}

/** All is copied before it is compared with the checkpoint before. */
async function spaceFindings(
  ctx: EngineContext,
  container: Container,
  { ignoreVolumes }: TagChoice,
  { memoryBytes, freeBytes, directory }: CheckpointFacts,
): Promise<Finding[]> {
  const bytes = memoryBytes + (await fileBytes(ctx, container, { ignoreRootfs: false, ignoreVolumes }));
  if (bytes <= freeBytes) return [];
  const { name } = container.config;
  return [
    obstacle(
      'space',
      'NO_SPACE',
      `cannot checkpoint ${name}: its memory, volumes and changed files take up to ${bytes} bytes and ${directory} has ${freeBytes} free; it goes on running`,
      `Free some space: cryopod checkpoint prune ${name} --keep-last N removes older checkpoints.`,
    ),
  ];
}
