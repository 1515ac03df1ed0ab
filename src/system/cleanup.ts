import { CryopodError, messageOf } from '../model/errors.ts';
import { logWarning } from './log.ts';

/** Undo steps, registered where something is acquired. They run last in, first out. */
export interface Cleanup {
  /** Registers a step; `what` completes "could not …". */
  readonly add: (what: string, step: () => Promise<unknown> | unknown) => void;
  /** Forgets all steps: what was acquired is now owned by the record of it. */
  readonly keep: () => void;
}

/**
 * Runs `work`; when it throws, runs the registered steps and throws the same error. A step that fails is attached to
 * the error and never replaces it.
 */
export async function undoOnFailure<T>(work: (cleanup: Cleanup) => Promise<T>): Promise<T> {
  const steps: { what: string; step: () => Promise<unknown> | unknown }[] = [];
  const cleanup: Cleanup = {
    add: (what, step) => steps.push({ what, step }),
    keep: () => steps.splice(0),
  };
  try {
    return await work(cleanup);
  } catch (error) {
    for (const { what, step } of steps.toReversed()) {
      try {
        await step();
      } catch (failure) {
        logWarning(`clean-up: could not ${what}: ${messageOf(failure)}`);
        if (error instanceof CryopodError) error.cleanupErrors.push(failure);
      }
    }
    throw error;
  }
}
