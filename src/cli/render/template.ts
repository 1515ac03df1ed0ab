/**
 * `--format` of all commands: a subset of Go's text/template with podman's functions.
 *
 * Known: fields, variables, literals, pipelines, brackets, if, with, range, break, continue, comments, trim marks,
 * and the functions of template/functions.ts. Not known: define, template, block.
 */
import { alignTabs } from './table.ts';
import { compile, execute } from './template/exec.ts';
import { toJson } from './template/values.ts';

export { toJson } from './template/values.ts';

export interface FormatOptions {
  /** The command's name, for errors: `template: ps:1:2: …`. */
  readonly name: string;
  /** The data's type as errors name it. */
  readonly typeName?: string;
  /** Headings of `table` formats where they differ from the field's name: `{ ID: 'CONTAINER ID' }`. */
  readonly headings?: Readonly<Record<string, string>>;
  /** Spaces a level of `json`; 2 unless the command has another tradition. */
  readonly indent?: number;
  /** --noheading */
  readonly noheading?: boolean | undefined;
}

/** True for `json` and `{{json}}`; `{{json .}}` is an ordinary template, one line an item. */
export const isJsonFormat = (format: string): boolean =>
  /^\s*(?:json|\{\{\s*json\.?\s*\}\})\s*$/.test(format);

/** True for formats that begin with `table`. */
export const isTableFormat = (format: string): boolean => /^table(?:\s|$)/.test(format);

/** Applies a change to the text between actions only, so that string literals keep their backslashes. */
const outsideActions = (format: string, change: (text: string) => string): string =>
  format
    .split(/(\{\{.*?\}\})/s)
    .map((part) => (part.startsWith('{{') ? part : change(part)))
    .join('');

const expandEscapes = (text: string): string => text.replaceAll('\\t', '\t').replaceAll('\\n', '\n');

const endLine = (text: string): string => (text.endsWith('\n') ? text : `${text}\n`);

const normalize = (format: string): string => endLine(outsideActions(format, expandEscapes));

/** `CreatedAt` → `CREATED AT`, `IPAddress` → `IP ADDRESS`. */
const headingOf = (field: string): string =>
  (field.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+/g) ?? [field]).join(' ').toUpperCase();

function renderTableFormat(format: string, items: readonly unknown[], options: FormatOptions): string {
  const body = format.replace(/^table\s*/, '');
  const cells = endLine(outsideActions(body, (text) => expandEscapes(text).replaceAll(' ', '\t')));
  const template = compile(options.name, cells);
  const headerOf = (field: string): string => options.headings?.[field] ?? headingOf(field);
  const heading = options.noheading === true ? [] : [execute(template, {}, { headerOf })];
  const rows = items.map((item) => execute(template, item, { typeName: options.typeName }));
  return alignTabs([...heading, ...rows].join(''));
}

/**
 * Output of a command that lists: an indented JSON array for `json`, an aligned table for `table …`, else the
 * template once an item with a newline behind each. A template with its own `{{range .}}` gets the whole list.
 * Throws USAGE for a template that is wrong.
 */
export function renderList(format: string, items: readonly unknown[], options: FormatOptions): string {
  if (isJsonFormat(format)) return `${toJson(items, options.indent ?? 2)}\n`;
  if (isTableFormat(format)) return renderTableFormat(format, items, options);
  const template = compile(options.name, normalize(format));
  const { typeName } = options;
  const ownRange = /\{\{-?\s*range\s*\.\s*-?\}\}.*\{\{-?\s*end\s*-?\}\}/s.test(format);
  if (ownRange) return execute(template, items, { typeName });
  return items.map((item) => execute(template, item, { typeName })).join('');
}

/** Output of a command that shows one thing (`info`, `version`): indented JSON or the template. Throws USAGE. */
export function renderOne(format: string, item: unknown, options: FormatOptions): string {
  if (isJsonFormat(format)) return `${toJson(item, options.indent ?? 2)}\n`;
  if (isTableFormat(format)) return renderTableFormat(format, [item], options);
  return execute(compile(options.name, normalize(format)), item, { typeName: options.typeName });
}
