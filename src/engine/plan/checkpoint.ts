import type { Container } from '../../model/container.ts';
import { dependencies } from './dependencies.ts';
import { type Finding, obstacle, ok, refuseObstacles, roughly } from './preflight/finding.ts';
import { type PreviousFacts, previousFindings, type StagingFacts, stagingFindings } from './previous.ts';

export interface CheckpointOptions {
  /** Keep CRIU's logs and statistics (-k). */
  readonly keep: boolean;
  readonly leaveRunning: boolean;
  readonly tcpEstablished: boolean;
  readonly fileLocks: boolean;
  /** The checkpoint goes into an archive (--export). */
  readonly exported?: boolean | undefined;
  /** Only what has changed since the last pre-checkpoint is kept (--with-previous). */
  readonly withPrevious?: boolean | undefined;
}

/** An obstacle that CRIU would meet, found before anything is frozen. */
export interface Obstacle {
  /** What stands in the way, as a sentence without its full stop. */
  readonly sentence: string;
  readonly hint: string;
  /** The option that takes it away. */
  readonly solvedBy?: 'tcpEstablished' | 'fileLocks' | undefined;
}

/** What the engine has found out about the host and the container's processes. */
export interface CheckpointFacts {
  readonly isRoot: boolean;
  readonly runtime: { readonly name: string; readonly able: boolean; readonly why?: string | undefined };
  readonly obstacles: readonly Obstacle[];
  /** Number of processes; undefined where the container does not run. */
  readonly processes?: number | undefined;
  /** Bytes that the images may take at most: anonymous and shared memory, also what is swapped out. */
  readonly memoryBytes: number;
  readonly freeBytes: number;
  /** Where the images go. */
  readonly directory: string;
  /** The least that an archive takes of it, where it is compressed; otherwise all of it is written. */
  readonly leastBytes?: number | undefined;
  /** With `withPrevious`. */
  readonly previous?: PreviousFacts | undefined;
  readonly staging?: StagingFacts | undefined;
}

/**
 * Where a container has no network namespace of its own, only CRIU can end it without its connections being told: an
 * export then cannot keep it frozen until the archive is complete. Pure.
 */
export const needsLocalCheckpoint = (
  { config: { network } }: Container,
  { tcpEstablished, leaveRunning }: CheckpointOptions,
): boolean => tcpEstablished && !leaveRunning && network.mode !== 'bridge' && network.mode !== 'none';

/** Room for all images that are not memory. */
const METADATA_BYTES = 16 << 20;

/** Refuses what cannot work before anything is frozen; returns nothing otherwise. Pure. */
export const refuseCheckpoint = (
  container: Container,
  options: CheckpointOptions,
  facts: CheckpointFacts,
): void => refuseObstacles(checkpointFindings(container, options, facts));

/** Whether a checkpoint would work, and what it would take. The first obstacle is what it is refused with. Pure. */
export const checkpointFindings = (
  container: Container,
  options: CheckpointOptions,
  facts: CheckpointFacts,
): readonly Finding[] => [
  ...stateFindings(container, options, facts),
  ...runtimeFindings(facts),
  ...processFindings(container, options, facts),
  ...(facts.previous === undefined ? [] : previousFindings(container, facts.previous)),
  ...spaceFindings(container, facts),
  ...(facts.staging === undefined ? [] : stagingFindings(container, facts.staging)),
];

/**
 * The same for a pre-checkpoint, which touches memory alone: connections, locks and all else that processes hold are no
 * matter. Pure.
 */
export const preCheckpointFindings = (
  container: Container,
  options: Pick<CheckpointOptions, 'exported'>,
  facts: CheckpointFacts,
): readonly Finding[] => [
  ...stateFindings(container, options, facts),
  ...runtimeFindings(facts),
  ...spaceFindings(container, facts),
];

/** Refuses a pre-checkpoint that cannot work. Pure. */
export const refusePreCheckpoint = (
  container: Container,
  options: Pick<CheckpointOptions, 'exported'>,
  facts: CheckpointFacts,
): void => refuseObstacles(preCheckpointFindings(container, options, facts));

function stateFindings(
  container: Container,
  { exported = false }: Pick<CheckpointOptions, 'exported'>,
  { isRoot }: CheckpointFacts,
): Finding[] {
  const { config, state } = container;
  const found: Finding[] = [];
  if (!isRoot) found.push(obstacle('rights', 'NEEDS_ROOT', 'checkpointing a container requires root'));
  if (state.status !== 'running') {
    const sentence = `"${state.status}" is not running, cannot checkpoint: container state improper`;
    found.push(obstacle('state', 'CONTAINER_STATE', sentence));
  }
  if (state.pages !== undefined) {
    const sentence = `cannot checkpoint ${config.name}: its memory still comes from its last checkpoint; it goes on running`;
    found.push(obstacle('state', 'BUSY', sentence, 'Try again in a moment.'));
  }
  if (config.autoRemove && !exported) {
    const sentence = `cannot checkpoint containers that have been started with '--rm' unless '--export' is used`;
    found.push(obstacle('state', 'CHECKPOINT_REFUSED', sentence));
  }
  if (exported && dependencies(container).length > 0) {
    const sentence = 'cannot export checkpoints of containers with dependencies';
    found.push(obstacle('state', 'CHECKPOINT_REFUSED', sentence));
  }
  return found.length > 0 ? found : [ok('state', state.status)];
}

function runtimeFindings({ runtime: { name, able, why } }: CheckpointFacts): Finding[] {
  if (able) return [ok('runtime', name)];
  return [
    obstacle(
      'runtime',
      'RUNTIME_UNSUPPORTED',
      `configured runtime does not support checkpoint/restore${why === undefined ? '' : `: ${why}`}`,
      'cryopod doctor lists the runtimes that can; choose one with --runtime when the container is made.',
    ),
  ];
}

const OPTION_NAMES = { tcpEstablished: '--tcp-established', fileLocks: '--file-locks' } as const;
const CHECK_NAMES = { tcpEstablished: 'connections', fileLocks: 'locks' } as const;

function processFindings(
  { config }: Container,
  options: CheckpointOptions,
  { obstacles, processes }: CheckpointFacts,
): Finding[] {
  const found = obstacles.map(({ sentence, hint, solvedBy }) => {
    const check = solvedBy === undefined ? 'processes' : CHECK_NAMES[solvedBy];
    if (solvedBy !== undefined && options[solvedBy]) {
      return ok(check, `${sentence}: kept with ${OPTION_NAMES[solvedBy]}`);
    }
    const message = `cannot checkpoint ${config.name}: ${sentence}; it goes on running`;
    return obstacle(check, 'CHECKPOINT_REFUSED', message, hint);
  });
  if (processes === undefined) return found;
  return [ok('processes', `${processes} to be frozen`), ...found];
}

function spaceFindings(
  { config }: Container,
  { memoryBytes, leastBytes, freeBytes, directory }: CheckpointFacts,
): Finding[] {
  if (leastBytes !== undefined) {
    const room = `${directory} has ${freeBytes} bytes free`;
    if (leastBytes <= freeBytes) return [ok('space', `${roughly(freeBytes)} are free in ${directory}`)];
    const message = `cannot export ${config.name}: its memory, volumes and changed files take at least ${leastBytes} bytes and ${room}; it goes on running`;
    return [obstacle('space', 'NO_SPACE', message, 'Free some space, or export to a larger file system.')];
  }
  if (freeBytes < memoryBytes + METADATA_BYTES) {
    return [
      obstacle(
        'space',
        'NO_SPACE',
        `cannot checkpoint ${config.name}: its memory takes up to ${memoryBytes} bytes and ${directory} has ${freeBytes} free; it goes on running`,
        'Free some space, or give a --root on a larger file system.',
      ),
    ];
  }
  return [ok('space', `memory takes up to ${roughly(memoryBytes)}, and ${roughly(freeBytes)} are free`)];
}

/** Bytes that CRIU writes in a second while the processes stand still, measured with 1 GiB of memory. */
const DUMP_RATE = 1e9;
/** Seconds that it takes to stop processes and to collect all that is not memory. */
const DUMP_BASE = 0.05;

/** How long the processes would stand still. An estimate; the disk decides. */
export function freezeEstimate({ memoryBytes }: Pick<CheckpointFacts, 'memoryBytes'>): Finding {
  const seconds = DUMP_BASE + memoryBytes / DUMP_RATE;
  return ok('freeze', `the processes would stand still for about ${seconds.toFixed(1)} s at 1 GB a second`);
}

/** The same of a pre-checkpoint. */
export const preCheckpointFreeze = (tracked: boolean): Finding =>
  ok(
    'freeze',
    tracked
      ? 'the processes would stand still until CRIU has taken hold of their memory'
      : 'the processes would not stand still: their memory is read from outside',
  );
