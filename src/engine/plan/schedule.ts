import type { Schedule } from '../../state/schedules.ts';

/** `auto-20261124T142301Z`: names sort as their times do. */
export const automaticName = (now: Date): string => `auto-${now.toISOString().replace(/[-:]|\.\d+/g, '')}`;

/** Runs of a schedule that never began. */
export interface MissedRuns {
  readonly count: number;
  /** When the last of them was due: milliseconds since 1970. */
  readonly last: number;
}

/** The runs that were due long before `now` (milliseconds since 1970): all but the latest, which can still be made. Pure. */
export function missedRuns({ next, every }: Schedule, now: number): MissedRuns | undefined {
  const count = Math.floor((now - Date.parse(next)) / (every * 1000));
  return count < 1 ? undefined : { count, last: Date.parse(next) + (count - 1) * every * 1000 };
}

/** When a run is due again, after one at `now`: in step with the runs before. ISO 8601. Pure. */
export function nextRun({ next, every }: Schedule, now: number): string {
  const passed = Math.max(0, Math.floor((now - Date.parse(next)) / (every * 1000)) + 1);
  return new Date(Date.parse(next) + passed * every * 1000).toISOString();
}

/** The text of a unit file's value: systemd takes %, $ and quotes for its own (systemd.syntax(7), systemd.service(5)). */
const quoted = (word: string): string =>
  `"${word.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('$', '$$$$')}"`;

export interface Units {
  /** Name without suffix. */
  readonly name: string;
  readonly timer: string;
  readonly service: string;
}

/** The units that make systemd run `command` for a schedule (systemd.timer(5)). Pure. */
export function scheduleUnits(
  { container, every }: Pick<Schedule, 'container' | 'every'>,
  command: readonly string[],
): Units {
  const name = `cryopod-checkpoint-${container.slice(0, 12)}`;
  const what = `checkpoint of container ${container.slice(0, 12)} by cryopod`;
  return {
    name,
    timer: [
      '[Unit]',
      `Description=Timer of the ${what}`,
      '[Timer]',
      `OnActiveSec=${every}`,
      `OnUnitActiveSec=${every}`,
      'AccuracySec=1',
      `Unit=${name}.service`,
      '',
    ].join('\n'),
    service: [
      '[Unit]',
      `Description=A ${what}`,
      '[Service]',
      'Type=oneshot',
      // The monitors of containers outlive the run.
      'KillMode=process',
      `ExecStart=${command.map(quoted).join(' ')}`,
      '',
    ].join('\n'),
  };
}
