import type { Command, Noun } from './command.ts';
import { type FlagSpec, type FlagTable, longName } from './flag-table.ts';

const TYPE_NAMES = {
  bool: '',
  string: 'string',
  int: 'int',
  uint: 'uint',
  float: 'float',
  list: 'strings',
  csv: 'strings',
  count: '',
} as const satisfies Record<FlagSpec['type'], string>;

/** One flag as the texts about it need it. */
export interface FlagDoc {
  readonly short: string | undefined;
  readonly long: string;
  readonly aliases: readonly string[];
  /** Name of the value, empty for flags that stand alone. */
  readonly value: string;
  readonly optional: boolean;
  readonly help: string;
}

function defaultText(spec: FlagSpec): string {
  if (spec.type === 'count') return '';
  const value = spec.default;
  if (value === undefined || value === false || value === '' || (Array.isArray(value) && value.length === 0))
    return '';
  const text =
    typeof value === 'string' ? JSON.stringify(value) : Array.isArray(value) ? `[${value.join(',')}]` : value;
  return ` (default ${text})`;
}

/** The flags that are shown, sorted by name. */
export const describeFlags = (table: FlagTable): FlagDoc[] =>
  Object.entries(table)
    .filter(([, spec]) => spec.hidden !== true)
    .map(([key, spec]) => ({
      short: spec.short,
      long: longName(key),
      aliases: spec.aliases ?? [],
      value: spec.value ?? TYPE_NAMES[spec.type],
      optional: 'optionalValue' in spec,
      help: `${spec.help ?? ''}${defaultText(spec)}`,
    }))
    .sort((a, b) => (a.long < b.long ? -1 : 1));

function flagLine({ short, long, value, optional }: FlagDoc): string {
  const valueText = value === '' ? '' : optional ? `[=${value}]` : ` ${value}`;
  return `${short === undefined ? '    ' : `-${short}, `}--${long}${valueText}`;
}

/** Two columns, the second aligned. */
function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}   ${right}`.trimEnd()).join('\n');
}

const section = (title: string, body: string): string => (body === '' ? '' : `\n${title}:\n${body}\n`);

const flagSection = (table: FlagTable): string => {
  const docs = describeFlags(table);
  return docs.length === 0 ? '' : section('Options', columns(docs.map((doc) => [flagLine(doc), doc.help])));
};

const indent = (text: string): string => text.replace(/^(?=.)/gm, '  ');

/** The help of one command in the layout of podman's. */
export function commandHelp<C>(command: Command<C>, short: string, path: string): string {
  const program = path.split(' ')[0] ?? '';
  return [
    `${short}\n`,
    section('Description', indent(command.long ?? short)),
    section('Usage', `  ${path} ${command.usage}`.trimEnd()),
    section('Examples', command.examples.map((example) => `  ${program} ${example}`).join('\n')),
    flagSection(command.flags),
  ].join('');
}

/** The help of the program or of a noun: its commands with their lines, in groups where they name one. */
export function nounHelp<C>(noun: Noun<C>, path: string, globals: FlagTable): string {
  const shown = noun.commands.filter(({ hidden }) => hidden !== true);
  const width = Math.max(0, ...shown.map(({ name }) => name.length));
  const groups = [...new Set(shown.map(({ group }) => group ?? 'Available Commands'))];
  const listing = groups.map((group) => {
    const members = shown.filter((entry) => (entry.group ?? 'Available Commands') === group);
    return section(group, members.map(({ name, short }) => `  ${name.padEnd(width)}   ${short}`).join('\n'));
  });
  const options = Object.keys(globals).length > 0 ? '[options] ' : '';
  return [
    `${noun.short}\n`,
    section('Usage', `  ${path} ${options}[command]`),
    ...listing,
    flagSection(globals),
  ].join('');
}
