import { diffCheckpoints } from '../../engine/checkpoint-view/diff.ts';
import { diffAsJson, diffAsText } from '../checkpoint/diff-text.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';
import { renderOne } from '../render/template.ts';

export const command = defineCommand({
  usage: '[options] A B',
  long: 'Shows what is different in the second of two checkpoints: processes, memory page by page, open files, sockets, mounts, and files of the container. Each may be an archive, a container or a checkpoint image.',
  examples: [
    'checkpoint diff before.tar.zst after.tar.zst',
    'checkpoint diff --format json monday.tar.zst db',
  ],
  flags: defineFlags({
    format: { short: 'f', type: 'string', value: 'FORMAT', help: 'json or a Go template' },
  }),
  args: { min: 2, max: 2 },
  run: async (ctx: CliContext, { format = '' }, [before = '', after = '']) => {
    const diff = await diffCheckpoints(await ctx.engine(), before, after);
    ctx.print(format === '' ? diffAsText(diff) : renderOne(format, diffAsJson(diff), { name: 'diff' }));
    return 0;
  },
});
