import { type CommandNoun, leaf } from './leaf.ts';

export const VOLUME: CommandNoun = {
  name: 'volume',
  short: 'Manage volumes',
  commands: [
    leaf('create', 'Create a volume', () => import('../commands/volume-create.ts')),
    leaf('exists', 'Tell whether a volume exists', () => import('../commands/volume-exists.ts')),
    leaf('inspect', 'Show all about volumes', () => import('../commands/volume-inspect.ts')),
    leaf('ls', 'List volumes', () => import('../commands/volume-ls.ts'), { aliases: ['list'] }),
    leaf('prune', 'Remove volumes that no container uses', () => import('../commands/volume-prune.ts')),
    leaf('rm', 'Remove volumes', () => import('../commands/volume-rm.ts'), { aliases: ['remove'] }),
  ],
};
