import { tag } from '../../engine/image/tag.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';

export const command = defineCommand({
  usage: 'IMAGE TARGET_NAME [TARGET_NAME...]',
  examples: ['tag 0e3bbc2 app:latest', 'tag app localhost:5000/app:1'],
  flags: {},
  args: { min: 2 },
  run: async (ctx: CliContext, _, [image = '', ...names]) => {
    await tag(await ctx.engine(), image, names);
    return 0;
  },
});
