import assert from 'node:assert/strict';

/**
 * What a container can be between two commands; `ending` is what others see of one that is being removed. Every `run`
 * makes a container of its own, told from others by its number.
 */
export interface Model {
  readonly status: 'none' | 'created' | 'running' | 'exited' | 'ending' | 'checkpointed';
  /** Number of the `run` that made it. */
  readonly made: number;
}

/** One indivisible step of a command. Gives the states that may follow, or undefined where it cannot have ended so. */
export type Step = (before: Model) => readonly Model[] | undefined;

/** A command and how it ended. Its steps come in this order; those of other commands may come in between. */
export interface Done {
  /** What to print when no order explains it. */
  readonly text: string;
  readonly steps: readonly Step[];
  /** Milliseconds; a command that ended before another one began comes before it. */
  readonly begun: number;
  readonly ended: number;
}

/**
 * Fails unless some order of the commands' steps explains all outcomes and the state at the end. Commands that ran at the
 * same time may come in any order.
 */
export function assertSerial(first: Model, commands: readonly Done[], last: Model): void {
  const dead = new Set<string>();
  const explains = (at: Model, taken: readonly number[]): boolean => {
    const key = `${at.status} ${at.made} ${taken.join()}`;
    if (dead.has(key)) return false;
    const left = commands.filter((command, index) => (taken[index] ?? 0) < command.steps.length);
    if (left.length === 0 && at.status === last.status && (at.status === 'none' || at.made === last.made)) {
      return true;
    }
    const mayBegin = ({ begun }: Done): boolean => left.every((other) => other.ended > begun);
    const found = commands.some((command, index) => {
      const step = command.steps[taken[index] ?? 0];
      if (step === undefined || !mayBegin(command)) return false;
      const next = taken.with(index, (taken[index] ?? 0) + 1);
      return step(at)?.some((after) => explains(after, next)) ?? false;
    });
    if (!found) dead.add(key);
    return found;
  };
  const isExplained = explains(
    first,
    commands.map(() => 0),
  );
  const list = commands.map(
    ({ text, begun, ended }) => `${Math.round(begun)}-${Math.round(ended)} ms ${text}`,
  );
  assert.ok(
    isExplained,
    `no order explains how it came from ${first.status} to ${last.status}:\n${list.join('\n')}`,
  );
}
