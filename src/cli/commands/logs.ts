import { latestContainer } from '../../engine/latest.ts';
import { type ContainerLog, containerLog } from '../../engine/logs.ts';
import { ERROR_TABLE, fail } from '../../model/errors.ts';
import { shortId } from '../../model/ids.ts';
import { parseTimePoint } from '../../model/time-point.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

interface LineStyle {
  readonly names: boolean;
  readonly timestamps: boolean;
  /** Lines of several containers say whose they are. */
  readonly several: boolean;
}

/** Output goes where the container sent it: stdout or stderr. */
async function printLog(ctx: CliContext, log: ContainerLog, style: LineStyle): Promise<void> {
  const owner = style.several ? `${style.names ? log.name : shortId(log.id)} ` : '';
  for await (const { time, stream, text } of log.lines) {
    // The last line may lack its end; that of another container must not go on in it.
    const end = style.several && !text.endsWith('\n') ? '\n' : '';
    const line = `${owner}${style.timestamps ? `${time} ` : ''}${text}${end}`;
    if (stream === 'stdout') ctx.print(line);
    else process.stderr.write(line);
  }
}

export const command = defineCommand({
  usage: '[options] CONTAINER [CONTAINER...]',
  examples: ['logs --tail 2 web', 'logs --follow --since 10m web', 'logs --names web db'],
  flags: defineFlags({
    color: { type: 'bool', hidden: true },
    details: { type: 'bool', hidden: true },
    follow: { short: 'f', type: 'bool', help: 'Go on until the container has ended' },
    latest: { short: 'l', type: 'bool', help: 'The container made last' },
    names: { short: 'n', type: 'bool', help: 'Names instead of IDs before lines of several containers' },
    since: { type: 'string', value: 'TIME', help: 'Lines from this time on: a date, Unix time, or 10m' },
    tail: { type: 'int', value: 'LINES', default: -1, help: 'Only so many lines from the end' },
    timestamps: { short: 't', type: 'bool', help: 'Show when each line was written' },
    until: { type: 'string', value: 'TIME', help: 'Lines until this time; a duration counts from now on' },
  }),
  run: async (ctx: CliContext, flags, names) => {
    if (flags.latest && names.length > 0) {
      fail('USAGE', { message: 'no containers can be specified when using --latest' });
    }
    if (!flags.latest && names.length === 0) {
      fail('USAGE', { message: 'you must provide at least one container name or ID' });
    }
    const options = {
      follow: flags.follow,
      tail: flags.tail < 0 ? undefined : flags.tail,
      since: flags.since === undefined ? undefined : parseTimePoint(flags.since),
      until: flags.until === undefined ? undefined : parseTimePoint(flags.until, Date.now(), 'behind'),
    };
    const engine = await ctx.engine();
    const wanted = flags.latest ? [latestContainer(engine)] : names;
    const logs = wanted.map((name) => containerLog(engine, name, options));
    const style = { names: flags.names, timestamps: flags.timestamps, several: logs.length > 1 };
    if (flags.follow) await Promise.all(logs.map((log) => printLog(ctx, log, style)));
    else for (const log of logs) await printLog(ctx, log, style);
    return ctx.signal.aborted ? ERROR_TABLE.INTERRUPTED.exit : 0;
  },
});
