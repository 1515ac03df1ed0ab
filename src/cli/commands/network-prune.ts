import { pruneNetworks } from '../../engine/network/rm.ts';
import { fail } from '../../model/errors.ts';
import { parseFilters } from '../../model/filters.ts';
import { confirm } from '../confirm.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

/** Filters of podman-network-prune(1). */
const KNOWN: readonly string[] = ['label', 'label!', 'until'];

export const command = defineCommand({
  usage: '[options]',
  long: 'Removes networks that no container belongs to; the default network stays.',
  flags: defineFlags({
    filter: { type: 'list', value: 'KEY=VALUE', help: 'Only networks that match' },
    force: { short: 'f', type: 'bool', help: 'Do not ask' },
  }),
  args: { max: 0 },
  run: async (ctx: CliContext, { filter, force }) => {
    const filters = parseFilters(filter);
    for (const key of filters.keys()) {
      if (!KNOWN.includes(key)) fail('USAGE', { message: `invalid filter "${key}"` });
    }
    if (!force) {
      ctx.print('WARNING! This will remove all networks not used by at least one container.\n');
      if (!confirm(ctx)) return 0;
    }
    for (const name of await pruneNetworks(await ctx.engine(), filters)) ctx.print(`${name}\n`);
    return 0;
  },
});
