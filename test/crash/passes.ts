import { FAULT_POINTS, type FaultPoint } from '../../src/system/faults.ts';

/** Fault points by the first parts of their names. */
const of = (...parts: readonly string[]): FaultPoint[] =>
  FAULT_POINTS.filter((point) => parts.includes(point.split('.')[0] ?? ''));

const without = (points: readonly FaultPoint[], ...others: readonly FaultPoint[]): FaultPoint[] =>
  points.filter((point) => !others.includes(point));

const STARTS: readonly FaultPoint[] = ['start.mounted', 'start.network-ready'];
const DURABLE = of('durable');
/** What only containers pass whose open files were deleted and have other names, and only those in the host's network. */
const RARE: readonly FaultPoint[] = ['export.linked', 'export.checkpointed'];
const RESTORE = [...of('restore'), ...STARTS, ...DURABLE];
const NOT_ENDED = ['export.ended', 'export.recorded'] as const;

/**
 * The durable steps that each command passes, on containers as the suites run them. A suite breaks its command at each of
 * them, and fails where the command passes others (breaking.ts); passes.test.ts fails where no command passes a step.
 */
export const PASSES = {
  run: [...of('create', 'start'), ...DURABLE],
  checkpoint: [...of('checkpoint', 'hold'), ...DURABLE],
  'checkpoint --leave-running': [...of('checkpoint'), ...DURABLE],
  restore: RESTORE,
  rm: of('remove'),
  'container prune': of('remove'),
  export: [...without(of('export', 'hold'), 'export.checkpointed'), ...DURABLE],
  'export --leave-running': [...without(of('export'), 'export.checkpointed', ...NOT_ENDED), ...DURABLE],
  'export in the network of the host': [
    ...without(of('export'), 'export.frozen', 'export.linked'),
    ...of('checkpoint'),
    ...DURABLE,
  ],
  import: [...of('import'), ...without(RESTORE, 'restore.journalled')],
  'pre-checkpoint': [...of('pre-checkpoint'), ...DURABLE],
  'checkpoint --with-previous': [...of('checkpoint'), 'delta.made', ...DURABLE],
  'export --with-previous': [...without(of('export'), ...RARE), 'delta.exported', ...DURABLE],
  'import with the previous': [...of('import'), ...without(RESTORE, 'restore.journalled')],
  'tag --leave-running': [...without(of('history'), 'history.ended'), 'export.frozen', ...DURABLE],
  tag: [
    ...of('history', 'hold'),
    'export.frozen',
    'checkpoint.dumped',
    'checkpoint.published',
    'checkpoint.recorded',
    ...DURABLE,
  ],
  'going back': [...of('back'), ...without(RESTORE, 'restore.journalled')],
  'checkpoint rm': [...of('forget'), ...DURABLE],
  'checkpoint prune': [...of('forget'), ...DURABLE],
  migrate: of('hold', 'migrate', 'image', 'rounds', 'receive'),
  // Steps of the process that serves the pages come after the command.
  'restore --lazy': of('pages'),
} satisfies Readonly<Record<string, readonly FaultPoint[]>>;

export type Command = keyof typeof PASSES;
