import { formatValue, sprint, sprintf } from './gofmt.ts';
import { isStruct, isTrue, NO_VALUE, sortedEntries, toJson, typeName } from './values.ts';

/** Tells a refusal from data that happens to look like one. */
const REFUSAL: unique symbol = Symbol('refusal');

/** A refusal of a function; the executor adds its name and the place. */
export interface Refusal {
  readonly [REFUSAL]: true;
  readonly refusal: string;
  /** The number of arguments is wrong, so that the function was not called. */
  readonly arity?: boolean;
}

export type TemplateFunction = (args: readonly unknown[]) => unknown;

const refuse = (refusal: string): Refusal => ({ [REFUSAL]: true, refusal });

export const isRefusal = (value: unknown): value is Refusal =>
  typeof value === 'object' && value !== null && REFUSAL in value;

const wrongCount = (want: string, got: number): Refusal => ({
  [REFUSAL]: true,
  refusal: `want ${want} got ${got}`,
  arity: true,
});

/** Fixes the number of arguments. */
const exactly =
  (count: number, call: TemplateFunction): TemplateFunction =>
  (args) =>
    args.length === count ? call(args) : wrongCount(String(count), args.length);

const atLeast =
  (count: number, call: TemplateFunction): TemplateFunction =>
  (args) =>
    args.length >= count ? call(args) : wrongCount(`at least ${count}`, args.length);

const wrongType = (want: string, value: unknown): Refusal =>
  refuse(`wrong type for value; expected ${want}; got ${typeName(value)}`);

/** A function of one string; nil counts as the empty string. */
const onText = (call: (text: string) => unknown): TemplateFunction =>
  exactly(1, ([value]) => {
    if (value === null || value === NO_VALUE) return call('');
    return typeof value === 'string' ? call(value) : wrongType('string', value);
  });

const count: TemplateFunction = ([value]) => {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (value instanceof Map) return value.size;
  if (isStruct(value)) return Object.keys(value).length;
  return value === null ? 0 : refuse(`len of type ${typeName(value)}`);
};

function element(owner: unknown, key: unknown): unknown {
  if (Array.isArray(owner) || typeof owner === 'string') {
    if (typeof key !== 'number' || !Number.isInteger(key))
      return refuse(`cannot index slice/array with type ${typeName(key)}`);
    const bytes = typeof owner === 'string' ? Buffer.from(owner) : owner;
    return key >= 0 && key < bytes.length ? (bytes[key] ?? null) : refuse(`index out of range: ${key}`);
  }
  if (owner === null || owner === NO_VALUE) return refuse('index of untyped nil');
  if (!(owner instanceof Map) && !isStruct(owner))
    return refuse(`can't index item of type ${typeName(owner)}`);
  const entries = new Map(sortedEntries(owner));
  if (entries.has(String(key))) return entries.get(String(key)) ?? null;
  // The zero value of a map of strings is the empty string.
  return [...entries.values()].every((item) => typeof item === 'string') ? '' : NO_VALUE;
}

function index(args: readonly unknown[]): unknown {
  let value = args[0];
  for (const key of args.slice(1)) {
    value = element(value, key);
    if (isRefusal(value)) return value;
  }
  return value;
}

function slice([value, from = 0, to]: readonly unknown[]): unknown {
  if (typeof value !== 'string' && !Array.isArray(value))
    return refuse(`can't slice item of type ${typeName(value)}`);
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  const end = to ?? bytes.length;
  for (const bound of [from, end]) {
    if (typeof bound !== 'number' || !Number.isInteger(bound))
      return refuse(`cannot index slice/array with type ${typeName(bound)}`);
    if (bound < 0 || bound > bytes.length) return refuse(`index out of range: ${bound}`);
  }
  if (Number(from) > Number(end)) return refuse(`invalid slice index: ${Number(from)} > ${Number(end)}`);
  return typeof value === 'string'
    ? Buffer.from(value).subarray(Number(from), Number(end)).toString()
    : value.slice(Number(from), Number(end));
}

const kindOf = (value: unknown): string => (typeof value === 'bigint' ? 'number' : typeof value);
const isNil = (value: unknown): boolean => value === null || value === NO_VALUE;

function isEqual(a: unknown, b: unknown): boolean | Refusal {
  if (isNil(a) || isNil(b)) return isNil(a) && isNil(b);
  if (typeof a === 'object' || typeof b === 'object')
    return refuse(`non-comparable type ${typeName(typeof a === 'object' ? a : b)}`);
  // biome-ignore lint/suspicious/noDoubleEquals: a number and a bigint of one value are equal in Go's sense.
  return kindOf(a) === kindOf(b) ? a == b : refuse('incompatible types for comparison');
}

function equalsAny([first, ...others]: readonly unknown[]): boolean | Refusal {
  for (const other of others) {
    const equal = isEqual(first, other);
    if (equal !== false) return equal;
  }
  return false;
}

function compare(test: (order: number) => boolean): TemplateFunction {
  return exactly(2, ([a, b]) => {
    if (typeof a === 'string' && typeof b === 'string')
      return test(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    if (kindOf(a) === 'number' && kindOf(b) === 'number') return test(Number(a) - Number(b));
    return refuse('incompatible types for comparison');
  });
}

const join: TemplateFunction = ([list, separator]) => {
  if (typeof separator !== 'string') return wrongType('string', separator);
  if (list === null || list === NO_VALUE) return '';
  return Array.isArray(list) ? list.map(formatValue).join(separator) : wrongType('[]string', list);
};

const split: TemplateFunction = ([text, separator]) => {
  if (typeof text !== 'string') return wrongType('string', text);
  return typeof separator === 'string' ? text.split(separator) : wrongType('string', separator);
};

/** podman's pad: spaces before and behind a text that is not empty. */
const pad: TemplateFunction = ([text, before, behind]) => {
  if (typeof text !== 'string') return wrongType('string', text);
  for (const size of [before, behind]) {
    if (typeof size !== 'number' || !(size >= 0 && size <= 10_000)) return wrongType('int', size);
  }
  return text === '' ? '' : ' '.repeat(Number(before)) + text + ' '.repeat(Number(behind));
};

const truncate: TemplateFunction = ([text, length]) => {
  if (typeof text !== 'string') return wrongType('string', text);
  return typeof length === 'number' && length >= 0
    ? [...text].slice(0, length).join('')
    : wrongType('int', length);
};

const printf: TemplateFunction = ([format, ...values]) =>
  typeof format === 'string' ? sprintf(format, values) : wrongType('string', format);

const title = (text: string): string =>
  text.replace(
    /(^|[^\p{L}\p{Nd}_])(\p{L})/gu,
    (_, before: string, letter: string) => before + letter.toUpperCase(),
  );

/** Functions of templates: Go's own and those that podman adds. `and` and `or` are in the executor. */
export const FUNCTIONS: ReadonlyMap<string, TemplateFunction> = new Map(
  Object.entries({
    json: exactly(1, ([value]) => toJson(value)),
    join: exactly(2, join),
    split: exactly(2, split),
    lower: onText((text) => text.toLowerCase()),
    upper: onText((text) => text.toUpperCase()),
    title: onText(title),
    pad: exactly(3, pad),
    truncate: exactly(2, truncate),
    len: exactly(1, count),
    index: atLeast(1, index),
    slice: atLeast(1, slice),
    not: exactly(1, ([value]) => !isTrue(value)),
    eq: atLeast(2, equalsAny),
    ne: exactly(2, ([a, b]) => {
      const equal = isEqual(a, b);
      return isRefusal(equal) ? equal : !equal;
    }),
    lt: compare((order) => order < 0),
    le: compare((order) => order <= 0),
    gt: compare((order) => order > 0),
    ge: compare((order) => order >= 0),
    print: sprint,
    println: (args: readonly unknown[]) => `${args.map(formatValue).join(' ')}\n`,
    printf: atLeast(1, printf),
  }),
);
