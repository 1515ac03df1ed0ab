import { imageExists } from '../../engine/image/inspect.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';

export const command = defineCommand({
  usage: 'IMAGE',
  long: 'Exit status 0 if the image is in the local store, 1 if not.',
  flags: {},
  args: { min: 1, max: 1 },
  run: async (ctx: CliContext, _, [name = '']) => (imageExists(await ctx.engine(), name) ? 0 : 1),
});
