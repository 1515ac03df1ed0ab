import { pruneImages } from '../../engine/image/remove.ts';
import { parseFilters } from '../../model/filters.ts';
import { confirm } from '../confirm.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

export const command = defineCommand({
  usage: '[options]',
  long: 'Removes images without a name that no container uses; with --all also those with one.',
  flags: defineFlags({
    all: { short: 'a', type: 'bool', help: 'All images that no container uses' },
    filter: { type: 'list', value: 'KEY=VALUE', help: 'Only images that match' },
    force: { short: 'f', type: 'bool', help: 'Do not ask' },
  }),
  args: { max: 0 },
  run: async (ctx: CliContext, { all, filter, force }) => {
    const filters = parseFilters(filter);
    if (!force) {
      const what = all
        ? 'all images without at least one container associated with them'
        : 'all dangling images';
      ctx.print(`WARNING! This command removes ${what}.\n`);
      if (!confirm(ctx)) return 0;
    }
    for (const { deleted } of await pruneImages(await ctx.engine(), filters, all)) {
      if (deleted !== undefined) ctx.print(`${deleted}\n`);
    }
    return 0;
  },
});
