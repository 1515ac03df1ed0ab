import { existsSync } from 'node:fs';
import { isCryopodError } from '../../model/errors.ts';
import { isLocked, withLock } from '../../state/locks.ts';
import { listSchedules, type Schedule } from '../../state/schedules.ts';
import { sleep } from '../../system/clock.ts';
import { startDetached } from '../../system/detached.ts';
import { run } from '../../system/process.ts';
import { databasePath } from '../../system/store-paths.ts';
import type { EngineContext } from '../context.ts';
import { runCommand, startTimer, timerIsThere } from './timer.ts';

/** The supervisor holds it as long as it lives. */
const LOCK = 'checkpoint schedules';

/** Set for the supervisor and what it starts: they start no other one. */
const MARK = 'CRYOPOD_SUPERVISOR';

/** Milliseconds between two looks at what is due; a schedule that was changed is noticed that late. */
const LOOK_MS = 1000;

/**
 * Starts what makes the runs of schedules where it does not run: after `checkpoint schedule`, a crash or a reboot. Each
 * command of cryopod calls it while there are schedules.
 */
export async function ensureScheduled(ctx: EngineContext): Promise<void> {
  if (process.env[MARK] !== undefined) return;
  const schedules = listSchedules(ctx.db);
  for (const schedule of schedules.filter(({ by }) => by === 'systemd')) {
    if (!timerIsThere(schedule)) await startTimer(ctx, schedule);
  }
  if (!schedules.some(({ by }) => by === 'cryopod') || isLocked(ctx.db, LOCK)) return;
  const { CRYOPOD_TOOLS } = process.env;
  const env = { [MARK]: '1', ...(CRYOPOD_TOOLS === undefined ? {} : { CRYOPOD_TOOLS }) };
  startDetached(runCommand(ctx, ['--supervise']), env);
}

/**
 * The supervisor: makes the runs that are due, each in a command of its own, until there are no schedules any more. Where
 * another one lives already, it returns at once.
 */
export async function superviseSchedules(ctx: EngineContext): Promise<void> {
  try {
    await withLock(ctx.db, LOCK, 'supervise', () => supervise(ctx), 0);
  } catch (error) {
    if (!isCryopodError(error, 'BUSY')) throw error;
  }
}

async function supervise(ctx: EngineContext): Promise<void> {
  const underWay = new Map<string, Promise<void>>();
  while (!ctx.signal.aborted && existsSync(databasePath(ctx.store))) {
    const schedules = listSchedules(ctx.db).filter(({ by }) => by === 'cryopod');
    if (schedules.length === 0) break;
    for (const schedule of schedules.filter((one) => isDue(one) && !underWay.has(one.container))) {
      const { container } = schedule;
      underWay.set(
        container,
        makeRun(ctx, container).finally(() => underWay.delete(container)),
      );
    }
    await sleep(LOOK_MS);
  }
  await Promise.all(underWay.values());
}

const isDue = ({ next }: Schedule): boolean => Date.parse(next) <= Date.now();

/** A run notes by itself what became of it. */
async function makeRun(ctx: EngineContext, container: string): Promise<void> {
  await run(runCommand(ctx, ['--run', container]), { env: { [MARK]: '1' } });
}
