import { servePages } from '../../engine/serve-pages.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

export const command = defineCommand({
  usage: '[options] CONTAINER',
  long: 'What a restore with --lazy leaves behind until the last page of memory is in.',
  flags: defineFlags({
    keep: { short: 'k', type: 'bool', help: 'Keep the checkpoint then' },
  }),
  args: { min: 1, max: 1 },
  run: async (ctx: CliContext, { keep }, [id = '']) => {
    // Ended by the signals of a terminal or a shutdown, it would leave the container with pages of zeros.
    ctx.takeSignals(() => undefined);
    await servePages(await ctx.engine(), id, { keep });
    return 0;
  },
});
