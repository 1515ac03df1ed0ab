import { prunableVolumes, pruneVolumes } from '../../engine/volume/remove.ts';
import { fail } from '../../model/errors.ts';
import { type Filters, parseFilters } from '../../model/filters.ts';
import { confirm } from '../confirm.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

/** Filters of podman-volume-prune(1); `all` is there beside the option. */
const KNOWN: readonly string[] = ['after', 'all', 'anonymous', 'label', 'label!', 'since', 'until'];

function checkedFilters(texts: readonly string[]): Filters {
  const filters = parseFilters(texts);
  for (const key of filters.keys()) {
    if (!KNOWN.includes(key)) fail('USAGE', { message: `"${key}" is an invalid volume filter` });
  }
  return filters;
}

export const command = defineCommand({
  usage: '[options]',
  long: 'Removes anonymous volumes that no container uses; with --all also named ones.',
  flags: defineFlags({
    all: { short: 'a', type: 'bool', help: 'Named volumes too' },
    dryRun: { type: 'bool', help: 'Only show what would be removed' },
    filter: { type: 'list', value: 'KEY=VALUE', help: 'Only volumes that match' },
    force: { short: 'f', type: 'bool', help: 'Do not ask' },
  }),
  args: { max: 0 },
  run: async (ctx: CliContext, flags) => {
    if (flags.force && flags.dryRun) {
      fail('USAGE', { message: '--force and --dry-run cannot be used together' });
    }
    const given = checkedFilters(flags.filter);
    const all = flags.all || (given.get('all') ?? []).some((value) => /^(true|1)$/i.test(value));
    const filters = new Map([...given].filter(([key]) => key !== 'all'));
    const engine = await ctx.engine();
    const show = (): number => {
      const names = prunableVolumes(engine, filters, all).map(({ name }) => name);
      for (const name of names) ctx.print(`${name}\n`);
      return names.length;
    };
    if (flags.dryRun) {
      show();
      return 0;
    }
    if (!flags.force) {
      const kind = all ? 'all volumes' : 'anonymous local volumes';
      ctx.print(
        `WARNING! This will remove ${kind} not used by at least one container. The following volumes will be removed:\n`,
      );
      if (show() === 0) {
        ctx.print(all ? 'No dangling volumes found\n' : 'No dangling anonymous volumes found\n');
        return 0;
      }
      if (!confirm(ctx)) return 0;
    }
    for (const name of await pruneVolumes(engine, filters, all)) ctx.print(`${name}\n`);
    return 0;
  },
});
