import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MEMBER } from '../../archive/members.ts';
import { type DumpStats, readDumpStats } from '../../criu/stats.ts';
import { readFileTable } from '../../criu/view/file-entries.ts';
import type { OpenFile } from '../../criu/view/files.ts';
import { type MountPoint, readHostname, readMountPoints } from '../../criu/view/mounts.ts';
import type { OpenSocket } from '../../criu/view/sockets.ts';
import { hasState, readTasks, type Task } from '../../criu/view/tasks.ts';
import { fail } from '../../model/errors.ts';
import { bundleDirectory } from '../../system/store-paths.ts';
import type { EngineContext } from '../context.ts';
import { type CheckpointMetadata, readMetadata } from './metadata.ts';
import { type CheckpointSizes, type CheckpointView, withCheckpointView } from './open.ts';
import { type Budget, readTaskFiles } from './task-files.ts';
import { readTaskMemory, type TaskMemory } from './task-memory.ts';

export interface ReportOptions {
  /** Read the environment out of the processes' memory. */
  readonly env: boolean;
}

/** A process with all that is known of it. */
export interface TaskReport extends Task, TaskMemory {
  readonly files: readonly OpenFile[];
  readonly sockets: readonly OpenSocket[];
  readonly cwd: string;
  readonly root: string;
}

/** All that a checkpoint says, without a restore. */
export interface CheckpointReport {
  readonly kind: CheckpointView['kind'];
  /** As the user gave it. */
  readonly source: string;
  readonly metadata: CheckpointMetadata;
  /** Memory that has not changed since a pre-checkpoint is not in it. */
  readonly lacksPrevious: boolean;
  readonly sizes: CheckpointSizes;
  /** The name that the container has for itself. */
  readonly hostname: string;
  readonly machine: string;
  /** Parts of the processor's state in use: a host of a restore must have these features. */
  readonly cpuState: readonly string[];
  /** In the order of pstree.img: parents first. */
  readonly tasks: readonly TaskReport[];
  readonly mountPoints: readonly MountPoint[];
  /** CRIU's figures of the dump, where they were kept. */
  readonly statistics: DumpStats | undefined;
}

/**
 * What is in a checkpoint: a file, a container's own or an image's. Changes nothing. Errors: those of
 * withCheckpointView, IMAGE_INVALID.
 */
export const inspectCheckpoint = (
  ctx: EngineContext,
  name: string,
  options: ReportOptions,
): Promise<CheckpointReport> => withCheckpointView(ctx, name, {}, (view) => reportOn(ctx, view, options));

export async function reportOn(
  ctx: EngineContext,
  view: CheckpointView,
  options: ReportOptions,
): Promise<CheckpointReport> {
  const metadata = readMetadata(ctx, view);
  const tasks = await readTaskReports(ctx, view, options);
  return {
    kind: view.kind,
    source: view.name,
    metadata,
    lacksPrevious: view.lacksPrevious,
    sizes: view.sizes,
    hostname: (await readHostname(view.images)) ?? '',
    machine: tasks[0]?.machine ?? '',
    cpuState: [...new Set(tasks.flatMap(({ cpuState }) => cpuState))],
    tasks,
    mountPoints: await readMountPoints(view.images),
    statistics: await statisticsOf(ctx, view),
  };
}

/** Hostile images could make many processes share huge tables: in all there may be so much. */
const MAX_TEXT_BYTES = 64 << 20;
const MAX_DESCRIPTORS = 1_000_000;

async function readTaskReports(
  ctx: EngineContext,
  { images, lacksPrevious }: CheckpointView,
  { env }: ReportOptions,
): Promise<TaskReport[]> {
  const table = await readFileTable(images);
  const budget: Budget = { textBytes: MAX_TEXT_BYTES, descriptors: MAX_DESCRIPTORS, tables: new Map() };
  const reports: TaskReport[] = [];
  for (const task of await readTasks(images)) {
    ctx.signal.throwIfAborted();
    reports.push({
      ...task,
      ...(await readTaskMemory(images, task, { env, table, budget, lacksPrevious })),
      ...(hasState(task) ? await readTaskFiles(images, task.pid, table, budget) : NO_FILES),
    });
  }
  return reports;
}

const NO_FILES = { files: [], sockets: [], cwd: '', root: '' };

/** Where checkpoints have CRIU's statistics: archives as a member, containers in the bundle where --keep was given. */
async function statisticsOf(ctx: EngineContext, view: CheckpointView): Promise<DumpStats | undefined> {
  const directory =
    view.container === undefined ? view.members : bundleDirectory(ctx.store, view.container.config.id);
  const path = join(directory ?? view.images, MEMBER.statistics);
  return existsSync(path) ? await readDumpStats(path) : undefined;
}

/** The process of this number. Errors: USAGE where there is none or it has no memory. */
export function requireTask<T extends Task>(tasks: readonly T[], pid: number): T {
  const task = tasks.find((one) => one.pid === pid);
  if (task === undefined) {
    return fail('USAGE', {
      message: `no process with PID ${pid} in the checkpoint`,
      hint: 'cryopod checkpoint inspect shows all PIDs.',
    });
  }
  return task;
}
