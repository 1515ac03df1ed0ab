import { type CommandLeaf, type CommandNoun, leaf } from './leaf.ts';

/** What reads containers, in short form and below `container`. */
export const CONTAINER_READERS: readonly CommandLeaf[] = [
  leaf('logs', 'Show what containers wrote', () => import('../commands/logs.ts')),
  leaf('port', 'Show published ports', () => import('../commands/port.ts')),
];

/** `container diff`. */
export const CONTAINER_DIFF: CommandLeaf = leaf(
  'diff',
  "Show the changes to a container's file system",
  () => import('../commands/container-diff.ts'),
);

/** Commands on the program and the host. */
export const SYSTEM_COMMANDS: readonly CommandLeaf[] = [
  leaf('completion', 'Print a completion script for a shell', () => import('../commands/completion.ts')),
  leaf('diff', 'Show the changes to a file system', () => import('../commands/diff.ts')),
  leaf('doctor', 'Say what works on this host', () => import('../commands/doctor.ts')),
  leaf('info', 'Show host, store and programs', () => import('../commands/info.ts')),
  leaf('version', 'Show the version', () => import('../commands/version.ts')),
];

export const SYSTEM: CommandNoun = {
  name: 'system',
  short: 'Look at the host and the program',
  commands: [leaf('info', 'Show host, store and programs', () => import('../commands/info.ts'))],
};
