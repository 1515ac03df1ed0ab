import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { renderCompletion } from '../parse/completion.ts';
import { surfaceOf } from '../parse/surface.ts';

export const command = defineCommand({
  usage: 'SHELL',
  long: 'Prints a script that makes a shell complete commands and options: bash, zsh or fish.',
  examples: ['completion bash > /etc/bash_completion.d/cryopod'],
  flags: {},
  args: { min: 1, max: 1 },
  run: async (ctx: CliContext, _, [shell = '']) => {
    // The table of commands names this module: imported at the top, each would need the other first.
    const { TREE } = await import('../tree.ts');
    ctx.print(renderCompletion(shell, await surfaceOf(TREE)));
    return 0;
  },
});
