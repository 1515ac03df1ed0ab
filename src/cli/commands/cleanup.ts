import { cleanupContainer } from '../../engine/cleanup.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';

export const command = defineCommand({
  usage: 'CONTAINER',
  long: 'What the monitor calls when a container has ended.',
  flags: {},
  args: { min: 1, max: 1 },
  run: async (ctx: CliContext, _, [id = '']) => {
    await cleanupContainer(await ctx.engine(), id);
    return 0;
  },
});
