import { listVolumeReports } from '../../engine/volume/list.ts';
import { fail } from '../../model/errors.ts';
import { parseFilters } from '../../model/filters.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';
import { humanLabels } from '../render/human.ts';
import { isJsonFormat, renderList, toJson } from '../render/template.ts';

const TABLE = 'table {{.Driver}}\t{{.Name}}';

export const command = defineCommand({
  usage: '[options]',
  examples: ['volume ls --filter dangling=true', 'volume ls --format "{{.Name}} {{.Mountpoint}}"'],
  flags: defineFlags({
    filter: { short: 'f', type: 'list', value: 'KEY=VALUE', help: 'Only volumes that match' },
    format: { type: 'string', value: 'FORMAT', help: 'json or a Go template' },
    noheading: { short: 'n', type: 'bool', help: 'No headings' },
    quiet: { short: 'q', type: 'bool', help: 'Only names' },
  }),
  args: { max: 0 },
  run: async (ctx: CliContext, { filter, format, noheading, quiet }) => {
    if (quiet && format !== undefined) {
      fail('USAGE', { message: 'quiet and format flags cannot be used together' });
    }
    const volumes = listVolumeReports(await ctx.engine(), parseFilters(filter));
    if (format !== undefined && isJsonFormat(format)) {
      ctx.print(`${toJson(volumes, 2)}\n`);
      return 0;
    }
    const rows = volumes.map((volume) => ({ ...volume, Labels: humanLabels(volume.Labels) }));
    const options = { name: 'ls', noheading, headings: { Name: 'VOLUME NAME' } };
    ctx.print(renderList(quiet ? '{{.Name}}' : (format ?? TABLE), rows, options));
    return 0;
  },
});
