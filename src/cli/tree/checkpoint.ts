import { type CommandNoun, leaf } from './leaf.ts';

/** Stored checkpoints; `container checkpoint` makes them. */
export const CHECKPOINT: CommandNoun = {
  name: 'checkpoint',
  short: 'Look into checkpoints, and manage the history of containers',
  commands: [
    leaf('diff', 'Show what changed between two checkpoints', () => import('../commands/checkpoint-diff.ts')),
    leaf(
      'export',
      'Write a named checkpoint into an archive',
      () => import('../commands/checkpoint-export.ts'),
    ),
    leaf('inspect', 'Show what is in a checkpoint', () => import('../commands/checkpoint-inspect.ts')),
    leaf('ls', 'List named checkpoints', () => import('../commands/checkpoint-ls.ts'), { aliases: ['list'] }),
    leaf('mem', 'Look into the memory of a checkpoint', () => import('../commands/checkpoint-mem.ts')),
    leaf(
      'prune',
      'Remove named checkpoints that no rule keeps',
      () => import('../commands/checkpoint-prune.ts'),
    ),
    leaf('rm', 'Remove named checkpoints', () => import('../commands/checkpoint-rm.ts')),
    leaf(
      'schedule',
      'Checkpoint a container at intervals',
      () => import('../commands/checkpoint-schedule.ts'),
    ),
    leaf(
      'verify',
      'Compare what is stored with its digests',
      () => import('../commands/checkpoint-verify.ts'),
    ),
  ],
};
