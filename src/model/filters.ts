import { fail } from './errors.ts';

/** Values of `--filter KEY=VALUE` by key; `label!=x` has the key `label!`. */
export type Filters = ReadonlyMap<string, readonly string[]>;

/** Decides for one key whether an item passes with any or all of the values, as the key means it. */
export type Matcher<T> = (item: T, values: readonly string[]) => boolean;

/** Reads the values of `--filter`. Throws USAGE. */
export function parseFilters(texts: readonly string[]): Filters {
  const filters = new Map<string, string[]>();
  for (const text of texts) {
    const at = text.indexOf('=');
    if (at < 1) fail('USAGE', { message: `invalid filter: ${text}` });
    const key = text.slice(0, at);
    filters.set(key, [...(filters.get(key) ?? []), text.slice(at + 1)]);
  }
  return filters;
}

/**
 * The items that pass all filters. Fails with USAGE for a key that has no matcher; `unknown` words it.
 */
export function applyFilters<T>(
  items: readonly T[],
  filters: Filters,
  matchers: Readonly<Record<string, Matcher<T>>>,
  unknown: (key: string) => string,
): T[] {
  const chosen = [...filters].map(([key, values]) => {
    const matcher = Object.hasOwn(matchers, key) ? matchers[key] : undefined;
    return { matcher: matcher ?? fail('USAGE', { message: unknown(key) }), values };
  });
  return items.filter((item) => chosen.every(({ matcher, values }) => matcher(item, values)));
}

type Labels = Readonly<Record<string, string>>;

/** `key` or `key=value`. */
function hasLabel(labels: Labels, wanted: string): boolean {
  const at = wanted.indexOf('=');
  const key = at < 0 ? wanted : wanted.slice(0, at);
  return Object.hasOwn(labels, key) && (at < 0 || labels[key] === wanted.slice(at + 1));
}

/** Filter `label`: all of the labels. */
export const matchLabels = (labels: Labels, wanted: readonly string[]): boolean =>
  wanted.every((one) => hasLabel(labels, one));

/** Filter `label!`: none of the labels. */
export const matchNoLabels = (labels: Labels, unwanted: readonly string[]): boolean =>
  !unwanted.some((one) => hasLabel(labels, one));

/** Filter `name` and its like: one of the regular expressions, found anywhere in the text. Throws USAGE. */
export const matchPattern = (text: string, patterns: readonly string[]): boolean =>
  patterns.some((pattern) => compile(pattern).test(text));

function compile(pattern: string): RegExp {
  try {
    return new RegExp(pattern);
  } catch (error) {
    return fail('USAGE', { message: `invalid filter: "${pattern}" is no regular expression`, cause: error });
  }
}

/** Filters that are true or false: one of the values agrees with the fact. Throws USAGE. */
export function matchBoolean(key: string, fact: boolean, values: readonly string[]): boolean {
  const wanted = values.map((value) => {
    const word = value.toLowerCase();
    if (word === 'true' || word === '1') return true;
    if (word === 'false' || word === '0') return false;
    return fail('USAGE', {
      message: `${JSON.stringify(value)} is not a valid value for the "${key}" filter - must be true or false`,
    });
  });
  return wanted.includes(fact);
}
