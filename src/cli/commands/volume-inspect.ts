import { listVolumeReports } from '../../engine/volume/list.ts';
import { inspectVolume } from '../../engine/volume/report.ts';
import { fail } from '../../model/errors.ts';
import type { CliContext } from '../context.ts';
import { printInspected } from '../inspect.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

export const command = defineCommand({
  usage: '[options] VOLUME [VOLUME...]',
  flags: defineFlags({
    all: { short: 'a', type: 'bool', help: 'All volumes' },
    format: { short: 'f', type: 'string', value: 'FORMAT', help: 'json or a Go template' },
  }),
  run: async (ctx: CliContext, { all, format }, names) => {
    if (all === names.length > 0) {
      fail('USAGE', { message: 'provide one or more volume names or --all, not both' });
    }
    const engine = await ctx.engine();

    const wanted = all ? listVolumeReports(engine, new Map()).map(({ Name }) => Name) : names;
    return printInspected(ctx, wanted, async (name) => inspectVolume(engine, name), format);
  },
});
