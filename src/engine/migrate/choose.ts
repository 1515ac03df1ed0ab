import type { MoveMode } from '../../wire/messages.ts';
import type { Departure } from './types.ts';

/** A mode, and why, as one sentence without its full stop. */
export interface Choice {
  readonly mode: MoveMode;
  readonly why: string;
}

/** Chooses how a container moves, from what is known of it and of the link. */
export async function chooseMode({ options }: Pick<Departure, 'options'>): Promise<Choice> {
  if (options.mode !== 'auto') return { mode: options.mode, why: 'asked for' };
  return { mode: 'cold', why: 'one pass' };
}
