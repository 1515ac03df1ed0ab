import { type Command, type Entry, isNoun, type Tree } from './command.ts';
import type { FlagTable } from './flags.ts';
import { describeFlags, type FlagDoc } from './help.ts';

/** One command or noun with everything that completion and man pages show of it. */
export interface SurfaceNode {
  /** `cryopod container ls`. */
  readonly path: string;
  readonly short: string;
  readonly long: string | undefined;
  readonly usage: string;
  readonly examples: readonly string[];
  readonly flags: readonly FlagDoc[];
  readonly commands: readonly { readonly name: string; readonly short: string }[];
}

async function describe<C>(entry: Entry<C>, path: string, globals: FlagTable): Promise<SurfaceNode[]> {
  const base = { path, short: entry.short, long: undefined, examples: [], commands: [] };
  if (!isNoun(entry)) {
    const { usage, long, examples, flags }: Command<C> = await entry.load();
    return [{ ...base, usage, long, examples, flags: describeFlags(flags) }];
  }
  const shown = entry.commands.filter(({ hidden }) => hidden !== true);
  const commands = shown.map(({ name, short }) => ({ name, short }));
  const below = await Promise.all(shown.map((child) => describe(child, `${path} ${child.name}`, {})));
  return [
    { ...base, usage: '[options] [command]', flags: describeFlags(globals), commands },
    ...below.flat(),
  ];
}

/** Loads every command and describes the whole program, the root first. */
export const surfaceOf = <C, G extends FlagTable>(tree: Tree<C, G>): Promise<SurfaceNode[]> =>
  describe(tree, tree.name, tree.globals);
