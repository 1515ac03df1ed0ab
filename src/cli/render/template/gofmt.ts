import { isGoTime } from '../../../model/go-time.ts';
import { isStruct, NO_VALUE, sortedEntries, toJson, typeName } from './values.ts';

/** Widths and precisions above this are refused as in Go's fmt, so that a template cannot fill the memory. */
const MAX_SIZE = 1_000_000;

function formatNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Number.isSafeInteger(value)) return String(value === 0 ? 0 : value);
  const exponent = Math.floor(Math.log10(Math.abs(value)));
  const text = exponent < -4 || exponent >= 6 ? value.toExponential() : String(value);
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
}

/** A value as Go's %v prints it: `[a b]`, `map[k:v]`, `{a b}`, `<nil>`. */
export function formatValue(value: unknown): string {
  if (value === NO_VALUE) return '<no value>';
  if (value === null || value === undefined) return '<nil>';
  if (typeof value === 'number') return formatNumber(value);
  if (typeof value === 'function') return 'func';
  if (Array.isArray(value)) return `[${value.map(formatValue).join(' ')}]`;
  if (value instanceof Map) return `map[${sortedEntries(value).map(pair).join(' ')}]`;
  if (isGoTime(value)) return value.text;
  if (isStruct(value)) return `{${structValues(value).map(formatValue).join(' ')}}`;
  return String(value);
}

const pair = ([key, item]: [string, unknown]): string => `${key}:${formatValue(item)}`;

/** A struct's values in the order of its declaration. */
const structValues = (value: Readonly<Record<string, unknown>>): unknown[] => {
  const entries = new Map(sortedEntries(value));
  return Object.keys(value).map((key) => entries.get(key));
};

interface Directive {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
  readonly verb: string;
}

const wrong = (verb: string, value: unknown): string =>
  value === null || value === undefined || value === NO_VALUE
    ? `%!${verb}(<nil>)`
    : `%!${verb}(${typeName(value)}=${formatValue(value)})`;

function formatInteger({ flags, verb }: Directive, value: number | bigint): string {
  const bases: Readonly<Record<string, number>> = { d: 10, b: 2, o: 8, x: 16, X: 16 };
  const digits = (value < 0 ? -value : value).toString(bases[verb] ?? 10);
  const prefix = flags.includes('#') && /[xX]/.test(verb) ? `0${verb}` : '';
  const sign = value < 0 ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  return `${sign}${prefix}${verb === 'X' ? digits.toUpperCase() : digits}`;
}

function formatFloat({ flags, precision, verb }: Directive, value: number): string {
  const sign = flags.includes('+') && value >= 0 ? '+' : '';
  const digits = Math.min(precision ?? 6, 100);
  if (verb === 'f' || verb === 'F') return sign + value.toFixed(digits);
  if (verb === 'e' || verb === 'E') {
    const text = value.toExponential(digits).replace(/e([+-])(\d)$/, 'e$10$2');
    return sign + (verb === 'E' ? text.toUpperCase() : text);
  }
  return (
    sign + formatNumber(precision === undefined ? value : Number(value.toPrecision(Math.max(1, digits))))
  );
}

const hexOf = (text: string, verb: string): string => {
  const hex = Buffer.from(text).toString('hex');
  return verb === 'X' ? hex.toUpperCase() : hex;
};

/** One argument by its verb, without padding. Lists apply the verb to each element. */
function applyVerb(directive: Directive, value: unknown): string {
  const { verb, flags, precision } = directive;
  if (verb === 'v') return flags.includes('#') ? toJson(value) : formatValue(value);
  if (verb === 'T') return typeName(value);
  if (Array.isArray(value)) return `[${value.map((item) => applyVerb(directive, item)).join(' ')}]`;
  if (typeof value === 'string') {
    if (verb === 's') return precision === undefined ? value : [...value].slice(0, precision).join('');
    if (verb === 'q') return JSON.stringify(value);
    if (verb === 'x' || verb === 'X') return hexOf(value, verb);
    return wrong(verb, value);
  }
  if (typeof value === 'boolean') return verb === 't' ? String(value) : wrong(verb, value);
  if (typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))) {
    if (/[dboxX]/.test(verb)) return formatInteger(directive, value);
    if (verb === 'q' && value >= 0 && value <= 0x10ffff) return `'${String.fromCodePoint(Number(value))}'`;
    if (verb === 'c' && value >= 0 && value <= 0x10ffff) return String.fromCodePoint(Number(value));
  }
  if (typeof value === 'number' && /[eEfFgG]/.test(verb)) return formatFloat(directive, value);
  if (verb === 's' && (value instanceof Map || isStruct(value))) return formatValue(value);
  return wrong(verb, value);
}

function pad({ flags, width, verb }: Directive, text: string): string {
  const missing = width - [...text].length;
  if (missing <= 0) return text;
  if (flags.includes('-')) return text + ' '.repeat(missing);
  if (!flags.includes('0') || /[svqtT]/.test(verb)) return ' '.repeat(missing) + text;
  const sign = /^[+-]/.exec(text)?.[0] ?? '';
  return sign + '0'.repeat(missing) + text.slice(sign.length);
}

const DIRECTIVE = /%([-+# 0]*)(\*|[0-9]+)?(?:\.(\*|[0-9]*))?(.)?/gsu;

/** Go's fmt.Sprintf: %s %d %q %v %t %x %o %b %c %e %f %g %T with flags, width, precision and `*`. */
export function sprintf(format: string, values: readonly unknown[]): string {
  let next = 0;
  const size = (text: string | undefined): number | undefined => {
    if (text === undefined) return undefined;
    const value = text === '*' ? Number(values[next++]) : Number(text);
    return Number.isInteger(value) ? value : 0;
  };
  const result = format.replace(
    DIRECTIVE,
    (_, flags: string, width?: string, precision?: string, verb?: string) => {
      if (verb === undefined) return '%!(NOVERB)';
      if (verb === '%') return '%';
      const asked = size(width) ?? 0;
      const digits = size(precision);
      const left = asked < 0 ? `${flags}-` : flags;
      const directive: Directive = { flags: left, width: Math.abs(asked), precision: digits, verb };
      if (directive.width > MAX_SIZE || Math.abs(digits ?? 0) > MAX_SIZE) return '%!(BADWIDTH)';
      if (next >= values.length) return `%!${verb}(MISSING)`;
      return pad(directive, applyVerb(directive, values[next++]));
    },
  );
  if (next >= values.length) return result;
  const extra = values.slice(next).map((value) => `${typeName(value)}=${formatValue(value)}`);
  return `${result}%!(EXTRA ${extra.join(', ')})`;
}

/** Go's fmt.Sprint: spaces between operands only where neither is a string. */
export const sprint = (values: readonly unknown[]): string =>
  values.reduce<string>((text, value, index) => {
    const apart = index > 0 && typeof value !== 'string' && typeof values[index - 1] !== 'string';
    return `${text}${apart ? ' ' : ''}${formatValue(value)}`;
  }, '');
