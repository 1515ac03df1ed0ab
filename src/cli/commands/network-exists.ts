import { networkExists } from '../../engine/network/inspect.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';

export const command = defineCommand({
  usage: 'NETWORK',
  long: 'Exit status 0 if the network exists, 1 if not.',
  flags: {},
  args: { min: 1, max: 1 },
  run: async (ctx: CliContext, _, [name = '']) => ((await networkExists(await ctx.engine(), name)) ? 0 : 1),
});
