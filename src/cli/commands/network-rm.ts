import { removeNetwork } from '../../engine/network/rm.ts';
import { fail, isCryopodError } from '../../model/errors.ts';
import type { CliContext } from '../context.ts';
import { forEachName } from '../each.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

export const command = defineCommand({
  usage: '[options] NETWORK [NETWORK...]',
  flags: defineFlags({
    force: { short: 'f', type: 'bool', help: 'Remove the containers on it first' },
    time: {
      short: 't',
      type: 'uint',
      value: 'SECONDS',
      help: 'Time between the stop signal and KILL, with --force',
    },
  }),
  args: { min: 1 },
  run: async (ctx: CliContext, { force, time }, names) => {
    if (time !== undefined && !force) {
      fail('USAGE', { message: '--force option must be specified to use the --time option' });
    }
    const engine = await ctx.engine();
    const remove = async (name: string): Promise<string | undefined> => {
      try {
        await removeNetwork(engine, name, { force, timeout: time });
        return name;
      } catch (error) {
        if (force && isCryopodError(error, 'NO_SUCH_NETWORK')) return undefined;
        throw error;
      }
    };
    return forEachName(ctx, names, remove, { NO_SUCH_NETWORK: 1 });
  },
});
