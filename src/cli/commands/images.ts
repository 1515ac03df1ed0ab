import { type ImageSummary, listImageSummaries } from '../../engine/image/list.ts';
import { fail } from '../../model/errors.ts';
import { parseFilters } from '../../model/filters.ts';
import type { CliContext } from '../context.ts';
import { imageRows, rowAsJson, SORT_KEYS, sortRows } from '../image/rows.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';
import { isJsonFormat, isTableFormat, renderList, toJson } from '../render/template.ts';

/** Spaces a level, as podman's. */
const INDENT = 4;

const defaultFormat = ({ digests, history }: { digests: boolean; history: boolean }): string => {
  const cells = [
    '{{.Repository}}',
    '{{.Tag}}',
    ...(digests ? ['{{.Digest}}'] : []),
    '{{.ID}}',
    '{{.Created}}',
    '{{.Size}}',
    ...(history ? ['{{if .History}}{{.History}}{{else}}<none>{{end}}'] : []),
  ];
  return `table ${cells.join('\t')}`;
};

export const command = defineCommand({
  usage: '[options] [IMAGE]',
  examples: [
    'images --sort size',
    'images --filter dangling=true -q',
    'images --format "{{.ID}} {{.Repository}}"',
  ],
  flags: defineFlags({
    all: { short: 'a', type: 'bool', help: 'Intermediate images too (cryopod makes none)' },
    digests: { type: 'bool', help: 'Show digests' },
    filter: { short: 'f', type: 'list', value: 'KEY=VALUE', help: 'Only images that match' },
    format: { type: 'string', value: 'FORMAT', help: 'json or a Go template' },
    history: { type: 'bool', help: 'Show the names that the image has had' },
    noTrunc: { type: 'bool', help: 'Whole IDs' },
    noheading: { short: 'n', type: 'bool', help: 'No headings' },
    quiet: { short: 'q', type: 'bool', help: 'Only IDs' },
    sort: { type: 'string', default: 'created', value: 'KEY', help: `Order: ${SORT_KEYS.join(', ')}` },
  }),
  args: { max: 1 },
  run: async (ctx: CliContext, flags, [wanted]) => {
    if (wanted !== undefined && flags.filter.length > 0) {
      fail('USAGE', { message: 'cannot specify an image and a filter(s)' });
    }
    const { format, noTrunc, noheading, quiet } = flags;
    const filters = parseFilters(wanted === undefined ? flags.filter : [`reference=${wanted}`]);
    const withLabels = format !== undefined && (isJsonFormat(format) || /Labels|json/.test(format));
    const summaries: readonly ImageSummary[] = await listImageSummaries(await ctx.engine(), filters, {
      withLabels,
    });
    const rows = sortRows(imageRows(summaries, { noTrunc, now: Date.now() }), flags.sort);
    if (format !== undefined && isJsonFormat(format)) {
      ctx.print(`${toJson(rows.map(rowAsJson), INDENT)}\n`);
      return 0;
    }
    if (quiet) {
      for (const id of new Set(rows.map(({ ID }) => ID))) ctx.print(`${id}\n`);
      return 0;
    }
    const chosen = format ?? defaultFormat(flags);
    const options = {
      name: 'images',
      noheading: noheading || !isTableFormat(chosen),
      headings: { ID: 'IMAGE ID', ReadOnly: 'R/O' },
    };
    ctx.print(renderList(chosen, rows, options));
    return 0;
  },
});
