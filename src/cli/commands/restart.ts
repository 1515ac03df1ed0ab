import { restartContainer } from '../../engine/restart.ts';
import { selectContainers } from '../../engine/select.ts';
import type { CliContext } from '../context.ts';
import { forEachName } from '../each.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

export const command = defineCommand({
  usage: '[options] CONTAINER [CONTAINER...]',
  flags: defineFlags({
    all: { short: 'a', type: 'bool', help: 'All containers' },
    latest: { short: 'l', type: 'bool', help: 'The container made last' },
    running: { type: 'bool', help: 'Only those that run' },
    time: {
      short: 't',
      aliases: ['timeout'],
      type: 'uint',
      value: 'SECONDS',
      help: 'Time between the stop signal and KILL',
    },
  }),
  run: async (ctx: CliContext, { all, latest, running, time }, names) => {
    const engine = await ctx.engine();
    const selected = selectContainers(
      engine,
      { names, all: all || (running && names.length === 0), latest },
      ({ state }) => !running || state.status === 'running',
    );
    return forEachName(ctx, selected, async (name) => {
      await restartContainer(engine, name, time);
      return name;
    });
  },
});
