import { selectContainers } from '../../engine/select.ts';
import { stopContainer } from '../../engine/stop.ts';
import { isCryopodError } from '../../model/errors.ts';
import type { CliContext } from '../context.ts';
import { forEachName } from '../each.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

export const command = defineCommand({
  usage: '[options] CONTAINER [CONTAINER...]',
  flags: defineFlags({
    all: { short: 'a', type: 'bool', help: 'All running containers' },
    ignore: { short: 'i', type: 'bool', help: 'Containers that do not exist are no error' },
    latest: { short: 'l', type: 'bool', help: 'The container made last' },
    time: {
      short: 't',
      aliases: ['timeout'],
      type: 'uint',
      value: 'SECONDS',
      help: 'Time between the stop signal and KILL',
    },
  }),
  run: async (ctx: CliContext, { all, latest, ignore, time }, names) => {
    const engine = await ctx.engine();
    const selected = selectContainers(
      engine,
      { names, all, latest },
      ({ state }) => state.status === 'running',
    );
    return forEachName(ctx, selected, async (name) => {
      try {
        await stopContainer(engine, name, time);
        return name;
      } catch (error) {
        if (ignore && isCryopodError(error, 'NO_SUCH_CONTAINER')) return undefined;
        throw error;
      }
    });
  },
});
