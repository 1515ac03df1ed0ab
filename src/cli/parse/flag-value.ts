import type { FlagSpec } from './flag-table.ts';

/** A flag's value before it is given its exact type. */
export type RawValue = boolean | number | string | readonly string[] | undefined;

/** The value was refused; the parser adds the flag's name. The texts are those of Go's strconv. */
export interface ValueError {
  readonly error: string;
}

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);
const INTEGER = /^[+-]?(?:0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|0|[1-9][0-9]*)$/;
const FLOAT = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$|^[+-]?(?:inf(?:inity)?|nan)$/i;

const syntaxError = (parser: string, text: string): ValueError => ({
  error: `strconv.${parser}: parsing ${JSON.stringify(text)}: invalid syntax`,
});

function parseBool(text: string): boolean | ValueError {
  if (TRUE.has(text)) return true;
  return FALSE.has(text) ? false : syntaxError('ParseBool', text);
}

/** Integers as Go's ParseInt with base 0; numbers that a double cannot hold exactly are out of range. */
function parseInteger(text: string, parser: 'ParseInt' | 'ParseUint'): number | ValueError {
  if (!INTEGER.test(text) || (parser === 'ParseUint' && /^[+-]/.test(text))) return syntaxError(parser, text);
  const digits = text.replace(/^[+-]/, '').replace(/^0(?=[0-7])/, '0o');
  const value = Number(digits) * (text.startsWith('-') ? -1 : 1);
  if (Number.isSafeInteger(value)) return value === 0 ? 0 : value;
  return { error: `strconv.${parser}: parsing ${JSON.stringify(text)}: value out of range` };
}

function parseFloatValue(text: string): number | ValueError {
  if (!FLOAT.test(text)) return syntaxError('ParseFloat', text);
  if (/nan/i.test(text)) return Number.NaN;
  if (/inf/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  return Number(text);
}

/** One line of comma-separated values with double quotes as in RFC 4180, as Go's encoding/csv reads it. */
export function splitCsv(line: string): string[] | ValueError {
  if (line === '') return [];
  const fields: string[] = [];
  let rest = line;
  for (;;) {
    const match = rest.startsWith('"')
      ? /^"((?:[^"]|"")*)"(?=,|$)/s.exec(rest)
      : /^([^,"]*)(?=,|$)/s.exec(rest);
    if (match?.[1] === undefined) {
      return {
        error: `parse error on line 1, column ${line.length - rest.length + 1}: bare or unclosed " in field`,
      };
    }
    fields.push(match[1].replaceAll('""', '"'));
    rest = rest.slice(match[0].length);
    if (rest === '') return fields;
    rest = rest.slice(1);
  }
}

/** The value of a flag that was not given. */
export function initialValue(spec: FlagSpec): RawValue {
  switch (spec.type) {
    case 'bool':
      return spec.default ?? false;
    case 'count':
      return 0;
    case 'list':
    case 'csv':
      return spec.default ?? [];
    default:
      return spec.default;
  }
}

/**
 * The value of a flag after it was given once more. `current` is undefined the first time, so that the first
 * value of a list replaces its default.
 */
export function nextValue(spec: FlagSpec, current: RawValue, text: string): RawValue | ValueError {
  const list = Array.isArray(current) ? current : [];
  switch (spec.type) {
    case 'bool':
      return parseBool(text);
    case 'string':
      return text;
    case 'int':
      return parseInteger(text, 'ParseInt');
    case 'uint':
      return parseInteger(text, 'ParseUint');
    case 'float':
      return parseFloatValue(text);
    case 'count':
      return text === '+1' ? (typeof current === 'number' ? current : 0) + 1 : parseInteger(text, 'ParseInt');
    case 'list':
      return [...list, text];
    case 'csv': {
      const fields = splitCsv(text);
      return Array.isArray(fields) ? [...list, ...fields] : fields;
    }
  }
}

export const isValueError = (value: RawValue | ValueError): value is ValueError =>
  typeof value === 'object' && 'error' in value;
