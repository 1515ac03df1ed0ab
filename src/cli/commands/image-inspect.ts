import { inspectImage } from '../../engine/image/inspect.ts';
import type { CliContext } from '../context.ts';
import { printInspected } from '../inspect.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

export const command = defineCommand({
  usage: '[options] IMAGE [IMAGE...]',
  examples: ['image inspect --format "{{.Config.Cmd}}" app'],
  flags: defineFlags({
    format: { short: 'f', type: 'string', value: 'FORMAT', help: 'json or a Go template' },
  }),
  args: { min: 1 },
  run: async (ctx: CliContext, { format }, names) => {
    const engine = await ctx.engine();
    return printInspected(ctx, names, (name) => inspectImage(engine, name), format);
  },
});
