import { cut, inContext, quoted, refuse } from './usage.ts';

/** The caller's variables, as process.env. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A file's path, for errors, and its text. */
export interface NamedText {
  readonly path: string;
  readonly text: string;
}

/** `NAME=value`, `NAME` (the caller's value, if it has one) or `PREFIX*` (all of the caller's with that prefix). */
function readEntry(entry: string, environment: Environment): [string, string][] {
  const [key, value] = cut(entry, '=');
  const name = key.replace(/^[ \t]+/, '');
  if (key === '') refuse(`invalid variable: ${quoted(entry)}`);
  if (name.includes('\0') || value?.includes('\0') === true) refuse(`invalid variable: ${quoted(entry)}`);
  if (value !== undefined) return [[name, value]];
  const wanted = name.endsWith('*') ? name.slice(0, -1) : undefined;
  return Object.entries(environment).flatMap(([known, text]): [string, string][] =>
    text !== undefined && (wanted === undefined ? known === name : known.startsWith(wanted))
      ? [[known, text]]
      : [],
  );
}

/** Lines that say something: leading blanks off, no comments, nothing empty. */
const entriesOf = (text: string): string[] =>
  text
    .split(/\r?\n/)
    .map((line) => line.replace(/^[ \t]+/, ''))
    .filter((line) => line !== '' && !line.startsWith('#'));

/**
 * The variables of --env-file and --env as NAME=value; later ones win, and options win over files.
 * Throws USAGE. Format: podman-run(1), --env and --env-file.
 */
export function parseEnvironment(
  values: readonly string[],
  files: readonly NamedText[],
  environment: Environment,
): string[] {
  const merged = new Map<string, string>();
  const add = (entry: string): void => {
    for (const [name, value] of readEntry(entry, environment)) merged.set(name, value);
  };
  for (const { path, text } of files)
    inContext(`parsing file ${quoted(path)}`, () => entriesOf(text).forEach(add));
  values.forEach(add);
  return [...merged].map(([name, value]) => `${name}=${value}`);
}

/** Labels of --label-file and --label; a label without `=` has the empty value. Throws USAGE. */
export function parseLabels(
  values: readonly string[],
  files: readonly NamedText[] = [],
): Record<string, string> {
  const entries = [...files.flatMap(({ text }) => entriesOf(text)), ...values];
  const pairs = entries.map((entry): [string, string] => {
    const [key, value = ''] = cut(entry, '=');
    if (key === '') refuse(`invalid label format: ${quoted(entry)}`);
    return [key, value];
  });
  return Object.fromEntries(pairs);
}

/** Annotations: KEY=VALUE, the value needed. Throws USAGE. */
export function parseAnnotations(values: readonly string[]): Record<string, string> {
  const pairs = values.map((entry): [string, string] => {
    const [key, value] = cut(entry, '=');
    return value === undefined || key === ''
      ? refuse('annotations must be formatted KEY=VALUE')
      : [key, value];
  });
  return Object.fromEntries(pairs);
}
