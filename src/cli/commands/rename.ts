import { renameContainer } from '../../engine/rename.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';

export const command = defineCommand({
  usage: 'CONTAINER NAME',
  flags: {},
  args: { min: 2, max: 2 },
  run: async (ctx: CliContext, _, [container = '', name = '']) => {
    await renameContainer(await ctx.engine(), container, name);
    return 0;
  },
});
