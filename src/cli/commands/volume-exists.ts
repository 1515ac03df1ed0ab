import { volumeExists } from '../../engine/volume/remove.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';

export const command = defineCommand({
  usage: 'VOLUME',
  long: 'Exit status 0 if the volume exists, 1 if not.',
  flags: {},
  args: { min: 1, max: 1 },
  run: async (ctx: CliContext, _, [name = '']) => (volumeExists(await ctx.engine(), name) ? 0 : 1),
});
