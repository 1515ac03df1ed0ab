import { CryopodError, isCryopodError } from '../model/errors.ts';
import type { EngineContext } from './context.ts';

/**
 * What a verb fails with: once its user has interrupted it, whatever fails then fails because of that. `fate`: what became
 * of the object.
 */
export function interruptedOr(
  { signal }: Pick<EngineContext, 'signal'>,
  error: unknown,
  fate?: string,
): unknown {
  if (!signal.aborted || isToldInterruption(error)) return error;
  const { message } = signal.reason as Error;
  const told = new CryopodError('INTERRUPTED', {
    message: fate === undefined ? message : `${message}; ${fate}`,
    cause: error,
  });
  if (error instanceof CryopodError) told.cleanupErrors.push(...error.cleanupErrors);
  return told;
}

/** It says already what became of the object. */
const isToldInterruption = (error: unknown): boolean =>
  isCryopodError(error, 'INTERRUPTED') && error.message.includes('; ');

/** For what must be done although the user has interrupted the command: undoing it. */
export const uninterrupted = (ctx: EngineContext): EngineContext => ({
  ...ctx,
  signal: new AbortController().signal,
});
