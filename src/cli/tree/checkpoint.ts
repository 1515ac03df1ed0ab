import { type CommandNoun, leaf } from './leaf.ts';

/** Stored checkpoints; `container checkpoint` makes them. */
export const CHECKPOINT: CommandNoun = {
  name: 'checkpoint',
  short: 'Look into checkpoints without restoring them',
  commands: [
    leaf('diff', 'Show what changed between two checkpoints', () => import('../commands/checkpoint-diff.ts')),
    leaf('inspect', 'Show what is in a checkpoint', () => import('../commands/checkpoint-inspect.ts')),
    leaf('mem', 'Look into the memory of a checkpoint', () => import('../commands/checkpoint-mem.ts')),
  ],
};
