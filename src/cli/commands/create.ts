import { createContainer } from '../../engine/create.ts';
import { CREATE_FLAGS } from '../container/create-flags.ts';
import { createOptions, createRequest } from '../container/create-request.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';

export const command = defineCommand({
  usage: '[options] IMAGE [COMMAND [ARG...]]',
  flags: CREATE_FLAGS,
  interspersed: false,
  args: { min: 1 },
  run: async (ctx: CliContext, flags, args) => {
    const request = createRequest(flags, args, ctx.argv);
    const { config } = await createContainer(await ctx.engine(), request, createOptions(flags));
    ctx.print(`${config.id}\n`);
    return 0;
  },
});
