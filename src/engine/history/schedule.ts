import type { CheckpointStatus, NamedCheckpoint } from '../../model/checkpoint.ts';
import { fail, isCryopodError, messageOf } from '../../model/errors.ts';
import { addCheckpoint, deleteCheckpoint, listCheckpoints } from '../../state/checkpoints.ts';
import { containerById, findContainer, listContainers } from '../../state/containers.ts';
import {
  deleteSchedule,
  listSchedules,
  putSchedule,
  type Schedule,
  scheduleOf,
  setNextRun,
} from '../../state/schedules.ts';
import { timestamp } from '../../system/clock.ts';
import type { EngineContext } from '../context.ts';
import { automaticName, missedRuns, nextRun } from '../plan/schedule.ts';
import { pruneHistory } from './prune.ts';
import { ensureScheduled } from './supervise.ts';
import { tagCheckpoint } from './tag.ts';
import { hasSystemd, removeTimer, startTimer } from './timer.ts';

export type NewSchedule = Omit<Schedule, 'container' | 'next' | 'by'>;

/**
 * Lets a container be checkpointed at intervals from now on, in the place of an earlier schedule of it: by a timer where
 * systemd runs, else by a process of cryopod's own. Errors: NO_SUCH_CONTAINER, CHECKPOINT_REFUSED (--rm).
 */
export async function setSchedule(ctx: EngineContext, nameOrId: string, wanted: NewSchedule): Promise<void> {
  const { config } = findContainer(ctx.db, nameOrId);
  if (config.autoRemove) {
    fail('CHECKPOINT_REFUSED', {
      message: `cannot checkpoint containers that have been started with '--rm' unless '--export' is used`,
    });
  }
  const by = hasSystemd() ? 'systemd' : 'cryopod';
  const next = new Date(Date.now() + wanted.every * 1000).toISOString();
  const schedule: Schedule = { ...wanted, container: config.id, next, by };
  putSchedule(ctx.db, schedule);
  if (by === 'systemd') await startTimer(ctx, schedule);
  else await ensureScheduled(ctx);
}

/** Ends a schedule; what it has made stays. Errors: NO_SUCH_CONTAINER, NO_SUCH_OBJECT. */
export async function stopSchedule(ctx: EngineContext, nameOrId: string): Promise<void> {
  const { config } = findContainer(ctx.db, nameOrId);
  if (scheduleOf(ctx.db, config.id) === undefined) {
    fail('NO_SUCH_OBJECT', { message: `container ${config.name} has no schedule` });
  }
  deleteSchedule(ctx.db, config.id);
  await removeTimer(config.id);
}

export interface ListedSchedule extends Schedule {
  readonly containerName: string;
  /** The newest run, whatever became of it. */
  readonly last: NamedCheckpoint | undefined;
}

/** All schedules, in the order of their containers. */
export function listedSchedules(ctx: EngineContext): ListedSchedule[] {
  const names = new Map(listContainers(ctx.db).map(({ config }) => [config.id, config.name]));
  return listSchedules(ctx.db).map((schedule) => ({
    ...schedule,
    containerName: names.get(schedule.container) ?? schedule.container,
    last: listCheckpoints(ctx.db, schedule.container).findLast(({ automatic }) => automatic),
  }));
}

/**
 * One run of a schedule: a checkpoint that the container goes on after, then the removal of automatic ones that no rule
 * keeps. What fails, or could not begin in time, is noted in the history. Never throws for that.
 */
export async function runSchedule(ctx: EngineContext, container: string): Promise<void> {
  const schedule = scheduleOf(ctx.db, container);
  if (schedule === undefined) return await removeTimer(container);
  const now = Date.now();
  const missed = missedRuns(schedule, now);
  if (missed !== undefined) {
    const runs = missed.count === 1 ? 'a run was' : `${missed.count} runs were`;
    noteRun(ctx, container, new Date(missed.last), 'missed', `${runs} due and could not begin in time`);
  }
  setNextRun(ctx.db, container, nextRun(schedule, now));
  const started = new Date(now);
  try {
    await tagCheckpoint(ctx, container, {
      ...schedule,
      tag: automaticName(started),
      leaveRunning: true,
      automatic: true,
      keep: false,
    });
    const { retention } = schedule;
    const rules = { ...retention, within: retention.within };
    await pruneHistory(ctx, container, { retention: rules, dryRun: false, automatic: true }, () => undefined);
  } catch (error) {
    if (containerById(ctx.db, container) === undefined) return;
    const status = isCryopodError(error, 'CONTAINER_STATE') ? 'missed' : 'failed';
    noteRun(ctx, container, started, status, messageOf(error));
  }
}

/** Of several runs in a row with the same outcome, the latest is noted. */
function noteRun(
  ctx: EngineContext,
  container: string,
  time: Date,
  status: CheckpointStatus,
  message: string,
): void {
  const last = listCheckpoints(ctx.db, container).at(-1);
  if (last?.automatic === true && last.status === status && last.message === message) {
    deleteCheckpoint(ctx.db, last);
  }
  addCheckpoint(ctx.db, {
    container,
    name: automaticName(time),
    created: timestamp(time),
    status,
    parent: undefined,
    automatic: true,
    wholeBytes: 0,
    ownBytes: 0,
    logBytes: 0,
    digest: '',
    message,
  });
}
