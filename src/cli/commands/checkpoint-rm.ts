import { findReference } from '../../engine/history/find.ts';
import { removeCheckpoint } from '../../engine/history/remove.ts';
import type { CliContext } from '../context.ts';
import { forEachName } from '../each.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

export const command = defineCommand({
  usage: 'CONTAINER@NAME [CONTAINER@NAME...]',
  long: 'Removes named checkpoints. Each of the others can be restored as before: what a removed one held for the next is moved there.',
  examples: ['checkpoint rm db@before-upgrade'],
  flags: defineFlags({}),
  args: { min: 1 },
  run: async (ctx: CliContext, _flags, names) => {
    const engine = await ctx.engine();
    return await forEachName(ctx, names, async (name) => {
      await removeCheckpoint(engine, findReference(engine, name));
      return name;
    });
  },
});
