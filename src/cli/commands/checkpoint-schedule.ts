import {
  type ListedSchedule,
  listedSchedules,
  runSchedule,
  setSchedule,
  stopSchedule,
} from '../../engine/history/schedule.ts';
import { superviseSchedules } from '../../engine/history/supervise.ts';
import { fail } from '../../model/errors.ts';
import { KEEP_FLAGS, parseSeconds, readKeepFlags } from '../container/keep-flags.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';
import { isJsonFormat, renderList, toJson } from '../render/template.ts';

const TABLE = 'table {{.Container}}\t{{.Every}}\t{{.Keep}}\t{{.Next}}\t{{.Last}}\t{{.By}}';

export const command = defineCommand({
  usage: '[options] [CONTAINER]',
  long: 'Checkpoints a container at intervals while it goes on, as auto-TIME, and removes those that no rule keeps. Where systemd runs, by one of its timers; else by a process of cryopod, which the next command starts again after a reboot. Runs that failed or were missed show in `checkpoint ls`. Without arguments it lists the schedules.',
  examples: [
    'checkpoint schedule db --every 10m --keep-last 12',
    'checkpoint schedule db --every 1h --keep-hourly 24 --keep-daily 7',
    'checkpoint schedule',
    'checkpoint schedule db --stop',
  ],
  flags: defineFlags({
    ...KEEP_FLAGS,
    every: { type: 'string', value: 'TIME', help: 'From one run to the next: 90s, 10m, 1h' },
    fileLocks: { type: 'bool', help: 'Allow file locks' },
    format: { type: 'string', value: 'FORMAT', help: 'Of the list: json or a Go template' },
    ignoreVolumes: { type: 'bool', help: 'Leave out the content of volumes' },
    noheading: { short: 'n', type: 'bool', help: 'No headings' },
    run: { type: 'bool', hidden: true, help: 'Make a run now' },
    stop: { type: 'bool', help: 'End the schedule; what it has made stays' },
    supervise: { type: 'bool', hidden: true, help: 'Make the runs that are due' },
    tcpEstablished: { type: 'bool', help: 'Allow established TCP connections' },
  }),
  args: { max: 1 },
  run: async (ctx: CliContext, flags, [container]) => {
    const engine = await ctx.engine();
    if (flags.supervise) await superviseSchedules(engine);
    else if (container === undefined) ctx.print(listAs(listedSchedules(engine), flags));
    else if (flags.run) await runSchedule(engine, container);
    else if (flags.stop) await stopSchedule(engine, container);
    else {
      const { ignoreVolumes, tcpEstablished, fileLocks } = flags;
      const every = parseSeconds('--every', flags.every ?? noInterval());
      if (every < 1) fail('USAGE', { message: '--every must be at least 1s' });
      const retention = readKeepFlags(flags);
      await setSchedule(engine, container, { every, retention, ignoreVolumes, tcpEstablished, fileLocks });
    }
    if (container !== undefined && !flags.run) ctx.print(`${container}\n`);
    return 0;
  },
});

const noInterval = (): never =>
  fail('USAGE', {
    message: 'say how often: --every TIME',
    hint: 'cryopod checkpoint schedule without a container lists the schedules.',
  });

function listAs(
  schedules: readonly ListedSchedule[],
  { format, noheading }: { readonly format: string | undefined; readonly noheading: boolean },
): string {
  const rows = schedules.map((one) => ({
    Container: one.containerName,
    Every: `${one.every}s`,
    Keep: keepText(one),
    Next: one.next,
    Last: one.last === undefined ? '' : `${one.last.name} ${one.last.status}`,
    By: one.by,
  }));
  if (format !== undefined && isJsonFormat(format)) return `${toJson(rows, 2)}\n`;
  return renderList(format ?? TABLE, rows, { name: 'schedule', noheading });
}

const keepText = ({ retention }: ListedSchedule): string =>
  Object.entries(retention)
    .filter(([, value]) => value !== undefined && value !== 0)
    .map(([rule, value]) => `${rule} ${value}${rule === 'within' ? 's' : ''}`)
    .join(', ');
