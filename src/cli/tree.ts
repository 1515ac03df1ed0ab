import { VERSION } from '../model/version.ts';
import type { CliContext } from './context.ts';
import { GLOBAL_FLAGS } from './globals.ts';
import type { Leaf, Tree } from './parse/command.ts';

type CommandLeaf = Leaf<CliContext>;

const leaf = (name: string, short: string, load: CommandLeaf['load'], more: Partial<CommandLeaf> = {}): CommandLeaf => ({
  name,
  short,
  load,
  ...more,
});

const at =
  (module: () => Promise<{ readonly command: Awaited<ReturnType<CommandLeaf['load']>> }>): CommandLeaf['load'] =>
  async () =>
    (await module()).command;

/** Commands on containers; podman has most of them both as `cryopod container NAME` and in short form. */
const CONTAINER: readonly CommandLeaf[] = [
  leaf('create', 'Create a container without starting it', at(() => import('./commands/create.ts'))),
  leaf('run', 'Run a command in a new container', at(() => import('./commands/run.ts'))),
];

const CHECKPOINTS: readonly CommandLeaf[] = [];

const hidden: readonly CommandLeaf[] = [];

/** Every command. Modules are loaded when called, so that start-up reads only this table. */
export const TREE: Tree<CliContext, typeof GLOBAL_FLAGS> = {
  name: 'cryopod',
  short: 'Freeze running containers into portable checkpoints and thaw them',
  version: VERSION,
  globals: GLOBAL_FLAGS,
  commands: [
    ...CONTAINER,
    { name: 'container', short: 'Manage containers', commands: [...CONTAINER, ...CHECKPOINTS, ...hidden] },
  ],
};
