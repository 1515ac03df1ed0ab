import { pauseContainer } from '../../engine/pause.ts';
import { selectContainers } from '../../engine/select.ts';
import type { CliContext } from '../context.ts';
import { forEachName } from '../each.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

export const command = defineCommand({
  usage: '[options] CONTAINER [CONTAINER...]',
  flags: defineFlags({
    all: { short: 'a', type: 'bool', help: 'All running containers' },
    latest: { short: 'l', type: 'bool', help: 'The container made last' },
  }),
  run: async (ctx: CliContext, { all, latest }, names) => {
    const engine = await ctx.engine();
    const selected = selectContainers(
      engine,
      { names, all, latest },
      ({ state }) => state.status === 'running',
    );
    return forEachName(ctx, selected, async (name) => {
      await pauseContainer(engine, name);
      return name;
    });
  },
});
