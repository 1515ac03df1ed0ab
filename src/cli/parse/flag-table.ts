/** Everything that one option of a command can say about itself. */
interface FlagBase {
  /** One character, for `-d`. */
  readonly short?: string;
  /** Other long names of the same flag, without dashes. */
  readonly aliases?: readonly string[];
  readonly help?: string;
  /** How help names the value: `HOST:CONTAINER`. */
  readonly value?: string;
  /** Left out of help, man pages and completion, but accepted. */
  readonly hidden?: boolean;
}

export interface BoolFlag extends FlagBase {
  readonly type: 'bool';
  readonly default?: boolean;
}

/** With `optionalValue`, the flag alone means that value, and another is given only as `--flag=value`. */
export interface StringFlag extends FlagBase {
  readonly type: 'string';
  readonly default?: string;
  readonly optionalValue?: string;
}

/** `uint` refuses negative numbers; both accept 0x, 0o and 0b as pflag does. */
export interface NumberFlag extends FlagBase {
  readonly type: 'int' | 'uint' | 'float';
  readonly default?: number;
  readonly optionalValue?: string;
}

/** `list` takes each value as it is; `csv` also splits values at commas (pflag's StringSlice). */
export interface ListFlag extends FlagBase {
  readonly type: 'list' | 'csv';
  readonly default?: readonly string[];
}

/** Counts how often it stands there: `-vvv` is 3. */
export interface CountFlag extends FlagBase {
  readonly type: 'count';
}

export type FlagSpec = BoolFlag | StringFlag | NumberFlag | ListFlag | CountFlag;

/** Keys are the flags' names in camel case: `capAdd` is `--cap-add`. */
export type FlagTable = Readonly<Record<string, FlagSpec>>;

type Optional<S, V> = S extends { readonly default: unknown } ? V : V | undefined;

/** The type of a flag's value. Bools, lists and counts always have one; others only with a default. */
export type FlagValue<S extends FlagSpec> = S extends BoolFlag
  ? boolean
  : S extends ListFlag
    ? readonly string[]
    : S extends CountFlag
      ? number
      : S extends NumberFlag
        ? Optional<S, number>
        : Optional<S, string>;

export type FlagValues<T extends FlagTable> = { readonly [K in keyof T]: FlagValue<T[K]> };

/** Values of a command line's flags; `isSet` tells which ones the user gave. */
export type ParsedFlags<T extends FlagTable> = FlagValues<T> & {
  readonly isSet: (name: keyof T & string) => boolean;
};

/** Declares flags. It only keeps the literal types, so that the parsed values are typed exactly. */
export const defineFlags = <const T extends FlagTable>(table: T): T => table;

/** `capAdd` → `cap-add`. */
export const longName = (key: string): string => key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);

/** The value that a flag takes when it stands alone (pflag's NoOptDefVal), or undefined if it needs one. */
export function valueWhenAlone(spec: FlagSpec): string | undefined {
  if (spec.type === 'bool') return 'true';
  if (spec.type === 'count') return '+1';
  return 'optionalValue' in spec ? spec.optionalValue : undefined;
}
