import { untag } from '../../engine/image/tag.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';

export const command = defineCommand({
  usage: 'IMAGE [NAME...]',
  long: 'Takes names away from an image, or all of them where none is given. The image stays.',
  flags: {},
  args: { min: 1 },
  run: async (ctx: CliContext, _, [image = '', ...names]) => {
    await untag(await ctx.engine(), image, names);
    return 0;
  },
});
