import { VERSION } from '../model/version.ts';
import type { CliContext } from './context.ts';
import { GLOBAL_FLAGS } from './globals.ts';
import type { Leaf, Tree } from './parse/command.ts';
import { CHECKPOINT } from './tree/checkpoint.ts';
import { IMAGE, IMAGE_COMMANDS } from './tree/image.ts';
import { NETWORK } from './tree/network.ts';
import { CONTAINER_DIFF, CONTAINER_READERS, SYSTEM, SYSTEM_COMMANDS } from './tree/system.ts';
import { VOLUME } from './tree/volume.ts';

type CommandLeaf = Leaf<CliContext>;

const leaf = (
  name: string,
  short: string,
  load: CommandLeaf['load'],
  more: Partial<CommandLeaf> = {},
): CommandLeaf => ({
  name,
  short,
  load,
  ...more,
});

const at =
  (
    module: () => Promise<{ readonly command: Awaited<ReturnType<CommandLeaf['load']>> }>,
  ): CommandLeaf['load'] =>
  async () =>
    (await module()).command;

/** Commands on containers that podman has both in short form and below `container`. */
const CONTAINER: readonly CommandLeaf[] = [
  leaf(
    'create',
    'Create a container without starting it',
    at(() => import('./commands/create.ts')),
  ),
  leaf(
    'exec',
    'Run a command in a running container',
    at(() => import('./commands/exec.ts')),
  ),
  leaf(
    'kill',
    'Send a signal to containers',
    at(() => import('./commands/kill.ts')),
  ),
  leaf(
    'migrate',
    'Move running containers to another host',
    at(() => import('./commands/migrate.ts')),
  ),
  leaf(
    'pause',
    'Freeze containers in place',
    at(() => import('./commands/pause.ts')),
  ),
  leaf(
    'rename',
    'Give a container another name',
    at(() => import('./commands/rename.ts')),
  ),
  leaf(
    'restart',
    'Stop and start containers',
    at(() => import('./commands/restart.ts')),
  ),
  leaf(
    'rm',
    'Remove containers',
    at(() => import('./commands/rm.ts')),
  ),
  leaf(
    'run',
    'Run a command in a new container',
    at(() => import('./commands/run.ts')),
  ),
  leaf(
    'start',
    'Start containers',
    at(() => import('./commands/start.ts')),
  ),
  leaf(
    'stop',
    'Stop containers',
    at(() => import('./commands/stop.ts')),
  ),
  leaf(
    'unpause',
    'Let paused containers go on',
    at(() => import('./commands/unpause.ts')),
  ),
  leaf(
    'wait',
    'Wait until containers have stopped and print their exit codes',
    at(() => import('./commands/wait.ts')),
  ),
];

/** Commands that mean containers below `container` and more, or another name, in short form. */
const CONTAINER_OR_MORE: readonly CommandLeaf[] = [
  leaf(
    'inspect',
    'Show all about containers, images, volumes and networks',
    at(() => import('./commands/inspect.ts')),
  ),
  leaf(
    'ps',
    'List containers',
    at(() => import('./commands/ps.ts')),
  ),
];

/** Commands that only `container` has; `cryopod checkpoint` is the noun for stored checkpoints. */
const CONTAINER_ONLY: readonly CommandLeaf[] = [
  leaf(
    'checkpoint',
    'Freeze containers to disk',
    at(() => import('./commands/container-checkpoint.ts')),
  ),
  leaf(
    'restore',
    'Thaw containers from their checkpoints',
    at(() => import('./commands/container-restore.ts')),
  ),
  leaf(
    'cleanup',
    'Settle a container that has ended',
    at(() => import('./commands/cleanup.ts')),
    { hidden: true },
  ),
  leaf(
    'serve-pages',
    'Serve the memory of a container that is restored lazily',
    at(() => import('./commands/serve-pages.ts')),
    { hidden: true },
  ),
  leaf(
    'exists',
    'Tell whether a container exists',
    at(() => import('./commands/container-exists.ts')),
  ),
  leaf(
    'inspect',
    'Show all about containers',
    at(() => import('./commands/container-inspect.ts')),
  ),
  leaf(
    'ls',
    'List containers',
    at(() => import('./commands/ps.ts')),
    { aliases: ['list', 'ps'] },
  ),
  leaf(
    'prune',
    'Remove containers that do not run',
    at(() => import('./commands/container-prune.ts')),
  ),
];

/** Every command. Modules are loaded when called, so that start-up reads only this table. */
export const TREE: Tree<CliContext, typeof GLOBAL_FLAGS> = {
  name: 'cryopod',
  short: 'Freeze running containers into portable checkpoints and thaw them',
  version: VERSION,
  globals: GLOBAL_FLAGS,
  commands: [
    ...CONTAINER,
    ...CONTAINER_OR_MORE,
    ...CONTAINER_READERS,
    ...IMAGE_COMMANDS,
    ...SYSTEM_COMMANDS,
    leaf(
      'receive',
      'Take in a container that another host sends',
      at(() => import('./commands/receive.ts')),
    ),
    {
      name: 'container',
      short: 'Manage containers',
      commands: [...CONTAINER, ...CONTAINER_READERS, CONTAINER_DIFF, ...CONTAINER_ONLY],
    },
    CHECKPOINT,
    IMAGE,
    NETWORK,
    SYSTEM,
    VOLUME,
  ],
};
