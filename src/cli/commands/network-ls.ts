import { listNetworks } from '../../engine/network/ls.ts';
import { parseFilters } from '../../model/filters.ts';
import { shortId } from '../../model/ids.ts';
import type { CliContext } from '../context.ts';
import { networkView } from '../network/view.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';
import { humanLabels } from '../render/human.ts';
import { isJsonFormat, renderList, toJson } from '../render/template.ts';
import { templateView } from '../render/view.ts';

const TABLE = 'table {{.ID}}\t{{.Name}}\t{{.Driver}}';

export const command = defineCommand({
  usage: '[options]',
  examples: ['network ls --filter dangling=true'],
  flags: defineFlags({
    filter: { short: 'f', type: 'list', value: 'KEY=VALUE', help: 'Only networks that match' },
    format: { type: 'string', value: 'FORMAT', help: 'json or a Go template' },
    noTrunc: { type: 'bool', help: 'Whole IDs' },
    noheading: { short: 'n', type: 'bool', help: 'No headings' },
    quiet: { short: 'q', type: 'bool', help: 'Only names' },
  }),
  args: { max: 0 },
  run: async (ctx: CliContext, { filter, format, noTrunc, noheading, quiet }) => {
    const networks = await listNetworks(await ctx.engine(), parseFilters(filter));
    if (!quiet && format !== undefined && isJsonFormat(format)) {
      ctx.print(`${toJson(networks.map(networkView), 2)}\n`);
      return 0;
    }
    const rows = networks.map((network) => {
      const ID = noTrunc ? network.id : shortId(network.id);
      return templateView(
        { ...networkView(network), ID, Labels: humanLabels(network.labels ?? {}) },
        network,
      );
    });
    const options = { name: 'ls', noheading, headings: { ID: 'NETWORK ID', Name: 'NAME' } };
    ctx.print(renderList(quiet ? '{{.Name}}' : (format ?? TABLE), rows, options));
    return 0;
  },
});
