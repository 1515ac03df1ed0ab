import type { Container } from '../../model/container.ts';
import { fail } from '../../model/errors.ts';

export interface CheckpointOptions {
  /** Keep CRIU's logs and statistics (-k). */
  readonly keep: boolean;
  readonly leaveRunning: boolean;
  readonly tcpEstablished: boolean;
  readonly fileLocks: boolean;
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
  /** Bytes that the images may take at most: anonymous and shared memory, also what is swapped out. */
  readonly memoryBytes: number;
  readonly freeBytes: number;
  /** Where the images go. */
  readonly directory: string;
}

/** Room for all images that are not memory. */
const METADATA_BYTES = 16 << 20;

/** Refuses what cannot work before anything is frozen; returns nothing otherwise. Pure. */
export function refuseCheckpoint(
  container: Container,
  options: CheckpointOptions,
  facts: CheckpointFacts,
): void {
  const { config, state } = container;
  if (!facts.isRoot) fail('NEEDS_ROOT', { message: 'checkpointing a container requires root' });
  if (state.status !== 'running') {
    fail('CONTAINER_STATE', {
      message: `"${state.status}" is not running, cannot checkpoint: container state improper`,
    });
  }
  if (config.autoRemove) {
    fail('CHECKPOINT_REFUSED', {
      message: `cannot checkpoint containers that have been started with '--rm' unless '--export' is used`,
    });
  }
  if (!facts.runtime.able) {
    fail('RUNTIME_UNSUPPORTED', {
      message: `configured runtime does not support checkpoint/restore${facts.runtime.why === undefined ? '' : `: ${facts.runtime.why}`}`,
      hint: 'cryopod doctor lists the runtimes that can; choose one with --runtime when the container is made.',
    });
  }
  for (const { sentence, hint, solvedBy } of facts.obstacles) {
    if (solvedBy !== undefined && options[solvedBy]) continue;
    fail('CHECKPOINT_REFUSED', {
      message: `cannot checkpoint ${config.name}: ${sentence}; it goes on running`,
      hint,
    });
  }
  if (facts.freeBytes < facts.memoryBytes + METADATA_BYTES) {
    fail('NO_SPACE', {
      message: `cannot checkpoint ${config.name}: its memory takes up to ${facts.memoryBytes} bytes and ${facts.directory} has ${facts.freeBytes} free; it goes on running`,
      hint: 'Free some space, or give a --root on a larger file system.',
    });
  }
}
