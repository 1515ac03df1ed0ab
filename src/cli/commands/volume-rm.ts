import { listVolumeReports } from '../../engine/volume/list.ts';
import { removeVolume } from '../../engine/volume/remove.ts';
import { fail, isCryopodError } from '../../model/errors.ts';
import type { CliContext } from '../context.ts';
import { forEachName } from '../each.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

export const command = defineCommand({
  usage: '[options] VOLUME [VOLUME...]',
  examples: ['volume rm data', 'volume rm --all'],
  flags: defineFlags({
    all: { short: 'a', type: 'bool', help: 'All volumes' },
    force: { short: 'f', type: 'bool', help: 'Remove the containers that use it first' },
    time: {
      short: 't',
      type: 'uint',
      value: 'SECONDS',
      help: 'Time between the stop signal and KILL, with --force',
    },
  }),
  run: async (ctx: CliContext, { all, force, time }, names) => {
    if (all === names.length > 0) fail('USAGE', { message: 'choose either one or more volumes or all' });
    if (time !== undefined && !force) {
      fail('USAGE', { message: '--force option must be specified to use the --time option' });
    }
    const engine = await ctx.engine();
    const wanted = all ? listVolumeReports(engine, new Map()).map(({ Name }) => Name) : names;
    const remove = async (name: string): Promise<string | undefined> => {
      try {
        await removeVolume(engine, name, { force, timeout: time });
        return name;
      } catch (error) {
        if (force && isCryopodError(error, 'NO_SUCH_VOLUME')) return undefined;
        throw error;
      }
    };
    return forEachName(ctx, wanted, remove, { NO_SUCH_VOLUME: 1 });
  },
});
