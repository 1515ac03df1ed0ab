import type { CliContext } from '../context.ts';
import type { Leaf, Noun } from '../parse/command.ts';

export type CommandLeaf = Leaf<CliContext>;
export type CommandNoun = Noun<CliContext>;

/** An entry of the tree for a module that exports `command`; the module is loaded when the command is called. */
export const leaf = (
  name: string,
  short: string,
  load: () => Promise<{ readonly command: Awaited<ReturnType<CommandLeaf['load']>> }>,
  more: Partial<CommandLeaf> = {},
): CommandLeaf => ({ name, short, load: async () => (await load()).command, ...more });
