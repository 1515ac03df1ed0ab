import { type CommandNoun, leaf } from './leaf.ts';

export const NETWORK: CommandNoun = {
  name: 'network',
  short: 'Manage networks',
  commands: [
    leaf('create', 'Create a network', () => import('../commands/network-create.ts')),
    leaf('exists', 'Tell whether a network exists', () => import('../commands/network-exists.ts')),
    leaf('inspect', 'Show all about networks', () => import('../commands/network-inspect.ts')),
    leaf('ls', 'List networks', () => import('../commands/network-ls.ts'), { aliases: ['list'] }),
    leaf('prune', 'Remove networks without containers', () => import('../commands/network-prune.ts')),
    leaf('rm', 'Remove networks', () => import('../commands/network-rm.ts'), { aliases: ['remove'] }),
  ],
};
