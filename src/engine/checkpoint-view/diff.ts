import type { MountPoint } from '../../criu/view/mounts.ts';
import { hasState } from '../../criu/view/tasks.ts';
import { fail } from '../../model/errors.ts';
import { lookupContainer } from '../../state/containers.ts';
import type { EngineContext } from '../context.ts';
import { lookupReference } from '../history/find.ts';
import {
  diffLists,
  diffProcesses,
  fileKey,
  filesOf,
  type ListDiff,
  type ProcessDiff,
  type ProcessFile,
  type ProcessSocket,
  socketKey,
  socketsOf,
} from './diff-lists.ts';
import { diffMemory, type MemoryDiff } from './diff-memory.ts';
import { diffRootfs, type RootfsDiff } from './diff-rootfs.ts';
import { type CheckpointView, withCheckpointView } from './open.ts';
import { type CheckpointReport, reportOn } from './report.ts';

export interface ProcessMemoryDiff extends MemoryDiff {
  readonly pid: number;
  readonly name: string;
}

/** What is different in a second checkpoint. */
export interface CheckpointDiff {
  readonly before: CheckpointReport;
  readonly after: CheckpointReport;
  readonly processes: ProcessDiff;
  /** Of processes that have memory in both. */
  readonly memory: readonly ProcessMemoryDiff[];
  readonly files: ListDiff<ProcessFile>;
  readonly sockets: ListDiff<ProcessSocket>;
  readonly mounts: ListDiff<MountPoint>;
  /** Environment of the container's configuration. */
  readonly environment: ListDiff<string>;
  /** Undefined where one of the two does not hold the changes of the root file system. */
  readonly rootfs: RootfsDiff | undefined;
}

/**
 * Compares two checkpoints, page by page where it is about memory. Errors: those of withCheckpointView, USAGE for twice
 * the same container.
 */
export function diffCheckpoints(ctx: EngineContext, before: string, after: string): Promise<CheckpointDiff> {
  const [one, other] = [before, after].map((name) =>
    name.includes('/') ? undefined : lookupContainer(ctx.db, name),
  );
  if (one !== undefined && one.config.id === other?.config.id) {
    fail('USAGE', {
      message: `${before} and ${after} are the same container, which has one checkpoint`,
      hint: 'Compare its checkpoint with an archive that was exported earlier, or with CONTAINER@NAME.',
    });
  }
  // A container stays locked while its own checkpoint is read, and opening one of its history takes the lock for a moment.
  if (one !== undefined && lookupReference(ctx, after) !== undefined) {
    return withCheckpointView(ctx, after, { rootfs: true }, (second) =>
      withCheckpointView(ctx, before, { rootfs: true }, (first) => compare(ctx, first, second)),
    );
  }
  return withCheckpointView(ctx, before, { rootfs: true }, (first) =>
    withCheckpointView(ctx, after, { rootfs: true }, (second) => compare(ctx, first, second)),
  );
}

async function compare(
  ctx: EngineContext,
  first: CheckpointView,
  second: CheckpointView,
): Promise<CheckpointDiff> {
  const before = await reportOn(ctx, first, { env: false });
  const after = await reportOn(ctx, second, { env: false });
  const processes = diffProcesses(before, after);
  const mountKey = ({ destination, type, source, root, options }: MountPoint): string =>
    JSON.stringify([destination, type, source, root, options]);
  return {
    before,
    after,
    processes,
    memory: await memoryDiffs(ctx, first, second, { before, after }),
    files: diffLists(filesOf(before), filesOf(after), fileKey),
    sockets: diffLists(socketsOf(before), socketsOf(after), socketKey),
    mounts: diffLists(before.mountPoints, after.mountPoints, mountKey),
    environment: diffLists(before.metadata.environment, after.metadata.environment, (line) => line),
    rootfs: await diffRootfs(first, second),
  };
}

async function memoryDiffs(
  ctx: EngineContext,
  first: CheckpointView,
  second: CheckpointView,
  { before, after }: { readonly before: CheckpointReport; readonly after: CheckpointReport },
): Promise<ProcessMemoryDiff[]> {
  const earlier = new Set(before.tasks.filter(hasState).map(({ pid }) => pid));
  const diffs: ProcessMemoryDiff[] = [];
  for (const { pid, name } of after.tasks.filter((task) => hasState(task) && earlier.has(task.pid))) {
    diffs.push({ pid, name, ...(await diffMemory(ctx, first.images, second.images, pid)) });
  }
  return diffs;
}
