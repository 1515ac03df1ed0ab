import { pruneContainers } from '../../engine/prune.ts';
import { confirm } from '../confirm.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';
import { parseFilters } from '../parse/options/process.ts';

/** Filters of podman-container-prune(1). */
const KNOWN = ['label', 'until'];

export const command = defineCommand({
  usage: '[options]',
  long: 'Remove all containers that do not run. Checkpointed ones go with their checkpoints.',
  flags: defineFlags({
    filter: { type: 'list', value: 'KEY=VALUE', help: 'Only those that match: label, label!, until' },
    force: { short: 'f', type: 'bool', help: 'Do not ask' },
  }),
  args: { max: 0 },
  run: async (ctx: CliContext, { filter, force }) => {
    const filters = parseFilters(filter, KNOWN);
    const engine = await ctx.engine();
    if (!force) {
      ctx.print('WARNING! This will remove all non running containers.\n');
      if (!confirm(ctx)) return 0;
    }
    for (const id of await pruneContainers(engine, filters)) ctx.print(`${id}\n`);
    return 0;
  },
});
