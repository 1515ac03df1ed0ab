import { containerView, namesOrLatest } from '../container/inspect-container.ts';
import { INSPECT_FLAGS } from '../container/inspect-flags.ts';
import type { CliContext } from '../context.ts';
import { printInspected } from '../inspect.ts';
import { defineCommand } from '../parse/command.ts';

export const command = defineCommand({
  usage: '[options] CONTAINER [CONTAINER...]',
  examples: ['container inspect db', "container inspect --format '{{.State.Status}}' db"],
  flags: INSPECT_FLAGS,
  run: async (ctx: CliContext, { format, latest, size }, names) => {
    const engine = await ctx.engine();
    return await printInspected(
      ctx,
      namesOrLatest(engine, names, latest),
      (name) => containerView(engine, name, size),
      format,
    );
  },
});
