import { fail } from '../../model/errors.ts';
import { type FlagTable, type ParsedFlags, type ParseResult, parseFlags } from './flags.ts';

/** What a command module declares. Its name and one-line description stand in the tree, which loads it. */
export interface CommandSpec<C, T extends FlagTable> {
  /** Behind the command's path: `[options] IMAGE [COMMAND [ARG...]]`. */
  readonly usage: string;
  /** The description in the command's own help; without it the line of the tree stands there. */
  readonly long?: string;
  /** Arguments behind the program's name, one example a line: `run -d nginx`. */
  readonly examples?: readonly string[];
  readonly flags: T;
  /** False where options end at the first positional argument (run, create, exec). */
  readonly interspersed?: boolean;
  /** How many positional arguments are allowed; without it any number. */
  readonly args?: { readonly min?: number; readonly max?: number };
  /** Runs the command and returns its exit status. Throws CryopodError. */
  readonly run: (ctx: C, flags: ParsedFlags<T>, args: readonly string[]) => Promise<number> | number;
}

/** A command of any flags. */
export interface Command<C> {
  readonly usage: string;
  readonly long: string | undefined;
  readonly examples: readonly string[];
  readonly flags: FlagTable;
  /** Reads the words behind the command. Throws USAGE before anything is done. */
  readonly prepare: <G extends FlagTable>(
    path: string,
    argv: readonly string[],
    globals: G,
  ) => Prepared<C, G>;
}

export interface Prepared<C, G extends FlagTable> {
  readonly help: boolean;
  readonly globals: ParsedFlags<G>;
  readonly run: (ctx: C) => Promise<number>;
}

const plural = (count: number): string => `${count} arg(s)`;

/** Refuses a wrong number of positional arguments with cobra's words (cobra, args.go). */
function checkCount(count: number, { min = 0, max }: { min?: number; max?: number }, path: string): void {
  const hint = `See '${path} --help'`;
  if (max === 0 && count > 0) fail('USAGE', { message: `\`${path}\` takes no arguments`, hint });
  if (max !== undefined && min === max && count !== min) {
    fail('USAGE', { message: `accepts ${plural(min)}, received ${count}`, hint });
  }
  if (max !== undefined && min > 0 && (count < min || count > max)) {
    fail('USAGE', { message: `accepts between ${min} and ${plural(max)}, received ${count}`, hint });
  }
  if (count < min)
    fail('USAGE', { message: `requires at least ${plural(min)}, only received ${count}`, hint });
  if (max !== undefined && count > max) {
    fail('USAGE', { message: `accepts at most ${plural(max)}, received ${count}`, hint });
  }
}

/** Declares a command; `flags` in `run` gets the exact types of the flag table. */
export function defineCommand<C, const T extends FlagTable>(spec: CommandSpec<C, T>): Command<C> {
  const { interspersed = true } = spec;
  return {
    usage: spec.usage,
    long: spec.long,
    examples: spec.examples ?? [],
    flags: spec.flags,
    prepare: <G extends FlagTable>(path: string, argv: readonly string[], globals: G) => {
      const parsed: ParseResult<T, G> = parseFlags(
        spec.flags,
        argv,
        { interspersed, commandPath: path },
        globals,
      );
      if (!parsed.help && spec.args !== undefined) checkCount(parsed.args.length, spec.args, path);
      return {
        help: parsed.help,
        globals: parsed.globals,
        run: async (ctx) => spec.run(ctx, parsed.flags, parsed.args),
      };
    },
  };
}

interface EntryBase {
  readonly name: string;
  /** One line for the help of the level above. */
  readonly short: string;
  readonly aliases?: readonly string[];
  readonly hidden?: boolean;
  /** Heading under which the root's help lists it. */
  readonly group?: string;
}

/** A command whose module is loaded only when it is called. Two leaves may share a module (`ps`, `container ls`). */
export interface Leaf<C> extends EntryBase {
  readonly load: () => Promise<Command<C>>;
}

/** A noun with commands of its own: `container`, `image`. */
export interface Noun<C> extends EntryBase {
  readonly commands: readonly Entry<C>[];
}

export type Entry<C> = Leaf<C> | Noun<C>;

/** The whole program. `G` are the flags before the command (and, where no command has the name, behind it). */
export interface Tree<C, G extends FlagTable> extends Noun<C> {
  readonly version: string;
  readonly globals: G;
}

export const isNoun = <C>(entry: Entry<C>): entry is Noun<C> => 'commands' in entry;

/** The entry that a word names, by its name or an alias. */
export const findEntry = <C>(noun: Noun<C>, word: string): Entry<C> | undefined =>
  noun.commands.find(({ name, aliases }) => name === word || aliases?.includes(word) === true);
