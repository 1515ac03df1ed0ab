import { fail } from '../../model/errors.ts';
import { type FlagSpec, type FlagTable, longName, type ParsedFlags, valueWhenAlone } from './flag-table.ts';
import { initialValue, isValueError, nextValue, type RawValue } from './flag-value.ts';

export {
  defineFlags,
  type FlagSpec,
  type FlagTable,
  type FlagValues,
  type ParsedFlags,
} from './flag-table.ts';

export interface ParseOptions {
  /** False: everything from the first positional argument on is positional (`run IMAGE cmd -x`). */
  readonly interspersed?: boolean;
  /** The command as typed, for the hint `See 'cryopod run --help'`. */
  readonly commandPath?: string;
}

export interface ParseResult<T extends FlagTable, G extends FlagTable> {
  readonly flags: ParsedFlags<T>;
  /** Values of the second table: flags of the program that may also stand behind the command. */
  readonly globals: ParsedFlags<G>;
  readonly args: readonly string[];
  /** `--help`, or `-h` where no flag of the command has that letter. Nothing behind it was read. */
  readonly help: boolean;
  /** Number of positional arguments before `--`, or -1. */
  readonly argsBeforeDash: number;
}

interface Slot {
  readonly name: string;
  readonly spec: FlagSpec;
  /** Undefined until the flag is given. */
  current: RawValue;
}

type Slots = ReadonlyMap<string, Slot>;

interface Scan {
  readonly long: ReadonlyMap<string, Slot>;
  readonly short: ReadonlyMap<string, Slot>;
  readonly hint: string | undefined;
}

const makeSlots = (table: FlagTable): Slots =>
  new Map(
    Object.entries(table).map(([key, spec]) => [key, { name: longName(key), spec, current: undefined }]),
  );

/** Names to slots; where two tables have a name, the first table wins. */
function index(tables: readonly Slots[], hint: string | undefined): Scan {
  const long = new Map<string, Slot>();
  const short = new Map<string, Slot>();
  for (const slot of tables.toReversed().flatMap((table) => [...table.values()])) {
    for (const name of [...(slot.spec.aliases ?? []), slot.name]) long.set(name, slot);
    if (slot.spec.short !== undefined) short.set(slot.spec.short, slot);
  }
  return { long, short, hint };
}

const refuse = (scan: Scan, message: string): never => fail('USAGE', { message, hint: scan.hint });

function assign(scan: Scan, slot: Slot, text: string): void {
  const next = nextValue(slot.spec, slot.current, text);
  if (isValueError(next)) {
    const names = slot.spec.short === undefined ? `--${slot.name}` : `-${slot.spec.short}, --${slot.name}`;
    refuse(scan, `invalid argument ${JSON.stringify(text)} for "${names}" flag: ${next.error}`);
  } else {
    slot.current = next;
  }
}

type Outcome = 'ok' | 'help';

/** `--name`, `--name=value` or `--name value`; takes the value from `rest` where it is a word of its own. */
function takeLong(scan: Scan, word: string, rest: string[]): Outcome {
  const [name = '', ...values] = word.slice(2).split('=');
  if (name === '' || name.startsWith('-')) refuse(scan, `bad flag syntax: ${word}`);
  const slot = scan.long.get(name);
  if (slot === undefined) return name === 'help' ? 'help' : refuse(scan, `unknown flag: --${name}`);
  const value = values.length > 0 ? values.join('=') : (valueWhenAlone(slot.spec) ?? rest.shift());
  if (value === undefined) refuse(scan, `flag needs an argument: ${word}`);
  else assign(scan, slot, value);
  return 'ok';
}

/** A cluster such as `-dit`, `-p8080:80`, `-e=A=1`; the last flag may take its value from `rest`. */
function takeShort(scan: Scan, word: string, rest: string[]): Outcome {
  let cluster = word.slice(1);
  while (cluster !== '') {
    const letter = String.fromCodePoint(cluster.codePointAt(0) ?? 0);
    const tail = cluster.slice(letter.length);
    const slot = scan.short.get(letter);
    if (slot === undefined) {
      return letter === 'h' ? 'help' : refuse(scan, `unknown shorthand flag: '${letter}' in -${cluster}`);
    }
    const alone = valueWhenAlone(slot.spec);
    if (tail.length > 1 && tail.startsWith('=')) {
      assign(scan, slot, tail.slice(1));
      return 'ok';
    }
    if (alone === undefined) {
      const value = tail === '' ? rest.shift() : tail;
      if (value === undefined) refuse(scan, `flag needs an argument: '${letter}' in -${cluster}`);
      else assign(scan, slot, value);
      return 'ok';
    }
    assign(scan, slot, alone);
    cluster = tail;
  }
  return 'ok';
}

function collect<T extends FlagTable>(slots: Slots): ParsedFlags<T> {
  const entries = [...slots].map(([key, { spec, current }]) => [key, current ?? initialValue(spec)] as const);
  const isSet = (name: string): boolean => slots.get(name)?.current !== undefined;
  // The slots were made from T and each value by its own spec: the one place where the exact types are asserted.
  return { ...Object.fromEntries(entries), isSet } as ParsedFlags<T>;
}

/**
 * Reads a command line as pflag does (github.com/spf13/pflag, flag.go): clusters, values attached or apart,
 * `--` ends the flags, and options between positional arguments unless `interspersed` is false.
 * Throws USAGE with pflag's words.
 */
export function parseFlags<T extends FlagTable, G extends FlagTable = Record<never, never>>(
  table: T,
  argv: readonly string[],
  options: ParseOptions = {},
  globalTable?: G,
): ParseResult<T, G> {
  const own = makeSlots(table);
  const globals = makeSlots(globalTable ?? {});
  const hint = options.commandPath === undefined ? undefined : `See '${options.commandPath} --help'`;
  const scan = index([own, globals], hint);
  const rest = [...argv];
  const args: string[] = [];
  let argsBeforeDash = -1;
  let help = false;
  for (let word = rest.shift(); word !== undefined && !help; word = rest.shift()) {
    if (word === '--') {
      argsBeforeDash = args.length;
      args.push(...rest.splice(0));
    } else if (!word.startsWith('-') || word === '-') {
      args.push(word);
      if (options.interspersed === false) args.push(...rest.splice(0));
    } else {
      help = (word.startsWith('--') ? takeLong : takeShort)(scan, word, rest) === 'help';
    }
  }
  return { flags: collect<T>(own), globals: collect<G>(globals), args, help, argsBeforeDash };
}
