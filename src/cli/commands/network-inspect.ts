import { inspectNetwork } from '../../engine/network/inspect.ts';
import type { CliContext } from '../context.ts';
import { printInspected } from '../inspect.ts';
import { networkView } from '../network/view.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

export const command = defineCommand({
  usage: '[options] NETWORK [NETWORK...]',
  flags: defineFlags({
    format: { short: 'f', type: 'string', value: 'FORMAT', help: 'json or a Go template' },
  }),
  args: { min: 1 },
  run: async (ctx: CliContext, { format }, names) => {
    const engine = await ctx.engine();
    return printInspected(
      ctx,
      names,
      async (name) => networkView(await inspectNetwork(engine, name)),
      format,
    );
  },
});
