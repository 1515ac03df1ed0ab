import { type ListedContainer, listAll } from '../../engine/list.ts';
import { fail } from '../../model/errors.ts';
import { type Filters, parseFilters } from '../../model/filters.ts';
import { listedFields, listedJson } from '../container/listed.ts';
import { parseOrder, sortListed } from '../container/listed-order.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags, type ParsedFlags } from '../parse/flags.ts';
import { renderTable } from '../render/table.ts';

const FLAGS = defineFlags({
  all: { short: 'a', type: 'bool', help: 'Containers that do not run as well' },
  filter: { short: 'f', type: 'list', value: 'KEY=VALUE', help: 'Only those that match' },
  format: { type: 'string', value: 'FORMAT', help: 'json, or a Go template; a table with `table …`' },
  last: { short: 'n', type: 'int', value: 'N', default: -1, help: 'The N newest, in any state' },
  latest: { short: 'l', type: 'bool', help: 'The container made last' },
  noTrunc: { type: 'bool', help: 'Whole IDs and commands' },
  noheading: { type: 'bool', help: 'No headings' },
  ns: { type: 'bool', help: 'Namespaces instead' },
  quiet: { short: 'q', type: 'bool', help: 'Only IDs' },
  size: { short: 's', type: 'bool', help: 'Sizes too' },
  sort: {
    type: 'string',
    value: 'KEY',
    default: 'created',
    help: 'command, created, id, image, names, runningfor, size, status',
  },
});
type Flags = ParsedFlags<typeof FLAGS>;

/** Headings that differ from the field's name. */
const HEADINGS: Readonly<Record<string, string>> = {
  Cgroup: 'CGROUPNS',
  CreatedHuman: 'CREATED',
  ID: 'CONTAINER ID',
  Pod: 'POD ID',
  PodName: 'PODNAME',
  User: 'USERNS',
};

const COLUMNS = ['ID', 'Image', 'Command', 'CreatedHuman', 'Status', 'Ports', 'Names'];
const NAMESPACE_COLUMNS = ['ID', 'Names', 'Pid', 'Cgroup', 'IPC', 'MNT', 'NET', 'PIDNS', 'User', 'UTS'];

/** Options that contradict each other, in podman's words. */
function checkFlags({ last, latest, quiet, size, ns }: Flags): void {
  const refuse = (message: string): never => fail('USAGE', { message });
  if (last >= 0 && latest) refuse('last and latest are mutually exclusive');
  if (quiet && (size || ns)) refuse('quiet conflicts with size and namespace');
  if (size && ns) refuse('size and namespace options conflict');
}

function filtersOf({ filter }: Flags): Filters {
  const bad = filter.find((text) => !text.includes('='));
  if (bad !== undefined) fail('USAGE', { message: `invalid filter "${bad}"` });
  return parseFilters(filter);
}

type Fields = Readonly<Record<string, unknown>>;

function defaultTable(items: readonly Fields[], { ns, size, noheading }: Flags): string {
  const columns = ns ? NAMESPACE_COLUMNS : [...COLUMNS, ...(size ? ['Size'] : [])];
  return renderTable(
    columns.map((name) => HEADINGS[name] ?? name.toUpperCase()),
    items.map((item) => columns.map((name) => String(item[name]))),
    { noheading },
  );
}

async function render(listed: readonly ListedContainer[], flags: Flags): Promise<string> {
  const now = Date.now();
  const fields = (): Fields[] =>
    listed.map((container) => listedFields(container, { whole: flags.noTrunc, now }));
  const { format } = flags;
  if (format === undefined && flags.quiet)
    return fields()
      .map(({ ID }) => `${ID}\n`)
      .join('');
  if (format === undefined) return defaultTable(fields(), flags);
  // Templates are loaded only where one is given: this command is called often.
  const { isJsonFormat, renderList, toJson } = await import('../render/template.ts');
  if (isJsonFormat(format)) {
    return `${toJson(
      listed.map((container) => listedJson(container, now)),
      2,
    )}\n`;
  }
  return renderList(format, fields(), {
    name: 'ps',
    typeName: 'containers.psReporter',
    headings: HEADINGS,
    noheading: flags.noheading,
  });
}

export const command = defineCommand({
  usage: '[options]',
  examples: ['ps -a', 'ps --filter status=exited --format "{{.ID}} {{.Names}}"', 'ps --size --sort names'],
  flags: FLAGS,
  args: { max: 0 },
  run: async (ctx: CliContext, flags) => {
    checkFlags(flags);
    const order = parseOrder(flags.sort);
    const listed = await listAll(await ctx.engine(), {
      all: flags.all,
      last: flags.latest ? 1 : flags.last > 0 ? flags.last : undefined,
      filters: filtersOf(flags),
      size: flags.size || /\.Size\b/.test(flags.format ?? ''),
      namespaces: flags.ns,
    });
    ctx.print(await render(sortListed(listed, order), flags));
    return 0;
  },
});
