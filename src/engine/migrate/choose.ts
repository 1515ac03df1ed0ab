import { sampleMemory } from '../../criu/delta/sample-memory.ts';
import { processTree } from '../../system/procfs.ts';
import type { MoveMode } from '../../wire/messages.ts';
import { chooseByFigures } from '../plan/migrate/choose.ts';
import { tracksChanges } from '../previous.ts';
import { whyNotLazily } from './post-copy.ts';
import { whyNotInRounds } from './pre-copy.ts';
import type { Departure } from './types.ts';

/** A mode, and why, as one sentence without its full stop. */
export interface Choice {
  readonly mode: MoveMode;
  readonly why: string;
}

type Known = Pick<Departure, 'ctx' | 'container' | 'options' | 'bytes' | 'linkRate' | 'target' | 'to'>;

/** Chooses how a container moves, from what its memory does in half a second and how fast the link is. */
export async function chooseMode(known: Known): Promise<Choice> {
  const { ctx, container, options, bytes, linkRate } = known;
  if (options.mode !== 'auto') return { mode: options.mode, why: 'asked for' };
  const pids = processTree(container.state.pid).map(({ pid }) => pid);
  const sample = await sampleMemory(pids, ctx.signal);
  return chooseByFigures({
    memory: Math.max(sample.bytes, bytes.memory),
    changeRate: sample.changeRate,
    files: bytes.files,
    linkSpeed: Math.max(1, linkRate ?? Number.POSITIVE_INFINITY),
    tracked: await tracksChanges(ctx),
    rounds: (await whyNotInRounds(known)) === undefined,
    lazy: whyNotLazily(known) === undefined,
  });
}
