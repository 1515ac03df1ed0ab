import { containerExists } from '../../engine/exists.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';

export const command = defineCommand({
  usage: 'CONTAINER',
  long: 'Exit status 0 where the container exists, 1 where it does not.',
  flags: {},
  args: { min: 1, max: 1 },
  run: async (ctx: CliContext, _, [name = '']) => (containerExists(await ctx.engine(), name) ? 0 : 1),
});
