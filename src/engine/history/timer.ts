import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Schedule } from '../../state/schedules.ts';
import { writeDurable } from '../../system/durable.ts';
import { run, runOk } from '../../system/process.ts';
import type { EngineContext } from '../context.ts';
import { scheduleUnits } from '../plan/schedule.ts';

/** Units that are gone with a reboot, as the containers' processes are (systemd.unit(5)). */
const UNITS = '/run/systemd/system';

/** systemd is the host's first process (sd_booted(3)). */
export const hasSystemd = (): boolean => existsSync(UNITS);

/** argv of `checkpoint schedule` on the same store. */
export const runCommand = (ctx: EngineContext, args: readonly string[]): string[] => [
  ...ctx.self,
  ...['--root', ctx.store.root, '--runroot', ctx.store.runroot],
  ...['checkpoint', 'schedule', ...args],
];

const pathsOf = (container: string): { timer: string; service: string; name: string } => {
  const { name } = scheduleUnits({ container, every: 0 }, []);
  return { timer: join(UNITS, `${name}.timer`), service: join(UNITS, `${name}.service`), name };
};

export const timerIsThere = ({ container }: Schedule): boolean => existsSync(pathsOf(container).timer);

/** Makes systemd start the runs of a schedule, in the place of an earlier timer of it. Errors: PROGRAM_FAILED. */
export async function startTimer(ctx: EngineContext, schedule: Schedule): Promise<void> {
  const paths = pathsOf(schedule.container);
  const units = scheduleUnits(schedule, runCommand(ctx, ['--run', schedule.container]));
  await writeDurable(paths.service, units.service, 0o644);
  await writeDurable(paths.timer, units.timer, 0o644);
  await runOk(['systemctl', 'daemon-reload'], 'make systemd read its units again');
  await runOk(['systemctl', 'restart', `${paths.name}.timer`], 'start the timer of a schedule');
}

/** Idempotent. */
export async function removeTimer(container: string): Promise<void> {
  const paths = pathsOf(container);
  if (!existsSync(paths.timer)) return;
  await run(['systemctl', 'stop', `${paths.name}.timer`]);
  await rm(paths.timer, { force: true });
  await rm(paths.service, { force: true });
  await run(['systemctl', 'daemon-reload']);
}
