import { fail } from '../../model/errors.ts';
import { findEntry, isNoun, type Leaf, type Noun, type Prepared, type Tree } from './command.ts';
import { type FlagTable, type ParsedFlags, parseFlags } from './flags.ts';
import { commandHelp, nounHelp } from './help.ts';

/** What a command line asks for: a text that is known already, or a command to run. */
export type Invocation<C, G extends FlagTable> =
  | {
      readonly kind: 'text';
      readonly text: string;
      readonly stream: 'stdout' | 'stderr';
      readonly exit: number;
    }
  | {
      readonly kind: 'run';
      /** The command as typed, without aliases resolved: `cryopod container ls`. */
      readonly path: string;
      readonly globals: ParsedFlags<G>;
      readonly run: (ctx: C) => Promise<number>;
    };

type Text = Extract<Invocation<never, FlagTable>, { kind: 'text' }>;

const onStdout = (text: string): Text => ({ kind: 'text', text, stream: 'stdout', exit: 0 });

/** Levenshtein distance. */
export function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let line = 1; line <= from.length; line++) {
    const next = [line];
    for (let column = 1; column <= to.length; column++) {
      const replaced = (row[column - 1] ?? 0) + (from[line - 1] === to[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

/** Names that the word may have meant: at most two letters away, or beginning with it (as in cobra). */
function suggestions<C>(noun: Noun<C>, word: string): string[] {
  const meant = ({ name, hidden }: { name: string; hidden?: boolean }): boolean =>
    hidden !== true && (editDistance(word.toLowerCase(), name) <= 2 || name.startsWith(word.toLowerCase()));
  return noun.commands.filter(meant).map(({ name }) => name);
}

function unknownCommand<C>(noun: Noun<C>, path: string, word: string): never {
  const names = suggestions(noun, word);
  const meant = names.length === 0 ? '' : `\n\nDid you mean this?\n\t${names.join('\n\t')}\n`;
  return fail('USAGE', {
    message: `unrecognized command \`${path} ${word}\`${meant}`,
    hint: `Try '${path} --help' for more information`,
  });
}

interface Found<C> {
  readonly path: string;
  readonly noun: Noun<C>;
  readonly leaf: Leaf<C> | undefined;
  readonly rest: readonly string[];
}

/** Follows words down the tree as far as they name nouns and at last a command. */
function descend<C>(root: Noun<C>, words: readonly string[]): Found<C> {
  let noun = root;
  let path = root.name;
  for (const [index, word] of words.entries()) {
    if (word.startsWith('-')) return { path, noun, leaf: undefined, rest: words.slice(index) };
    const entry = findEntry(noun, word) ?? unknownCommand(noun, path, word);
    path = `${path} ${word}`;
    if (!isNoun(entry)) return { path, noun, leaf: entry, rest: words.slice(index + 1) };
    noun = entry;
  }
  return { path, noun, leaf: undefined, rest: [] };
}

async function helpOf<C, G extends FlagTable>(tree: Tree<C, G>, words: readonly string[]): Promise<Text> {
  const { path, noun, leaf } = descend(tree, words);
  if (leaf === undefined) return onStdout(nounHelp(noun, path, noun === tree ? tree.globals : {}));
  return onStdout(commandHelp(await leaf.load(), leaf.short, path));
}

/** A noun alone: its help, and exit status 125, or 0 when help was asked for. */
function nounAlone<C>({ path, noun, rest }: Found<C>, globals: FlagTable): Text {
  const help = nounHelp(noun, path, globals);
  if (parseFlags({}, rest, { commandPath: path }).help) return onStdout(help);
  return {
    kind: 'text',
    text: `${help}\nError: missing command '${path} COMMAND'\n`,
    stream: 'stderr',
    exit: 125,
  };
}

/** Values given before the command hold unless the same flag stands behind it again. */
function mergeGlobals<G extends FlagTable>(before: ParsedFlags<G>, behind: ParsedFlags<G>): ParsedFlags<G> {
  const again = Object.fromEntries(
    Object.entries(behind).filter(([name]) => name !== 'isSet' && behind.isSet(name)),
  );
  return { ...before, ...again, isSet: (name) => behind.isSet(name) || before.isSet(name) };
}

/**
 * Finds what a command line (without the program's name) asks for and reads its flags; only the module of the
 * named command is loaded, and nothing is run. Throws USAGE.
 */
export async function resolve<C, G extends FlagTable>(
  tree: Tree<C, G>,
  argv: readonly string[],
): Promise<Invocation<C, G>> {
  const own = { version: { type: 'bool', short: 'v' } } as const;
  const first = parseFlags(own, argv, { interspersed: false, commandPath: tree.name }, tree.globals);
  if (first.help) return helpOf(tree, []);
  if (first.flags.version) return onStdout(`${tree.name} version ${tree.version}\n`);
  if (first.args[0] === 'help') return helpOf(tree, first.args.slice(1));
  const found = descend(tree, first.args);
  if (found.leaf === undefined) return nounAlone(found, found.noun === tree ? tree.globals : {});
  const command = await found.leaf.load();
  const prepared: Prepared<C, G> = command.prepare(found.path, found.rest, tree.globals);
  if (prepared.help) return onStdout(commandHelp(command, found.leaf.short, found.path));
  return {
    kind: 'run',
    path: found.path,
    globals: mergeGlobals(first.globals, prepared.globals),
    run: prepared.run,
  };
}
