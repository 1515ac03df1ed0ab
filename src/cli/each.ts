import { CryopodError, ERROR_TABLE, type ErrorCode } from '../model/errors.ts';
import type { CliContext } from './context.ts';

type Exits = Readonly<Partial<Record<ErrorCode, number>>>;
/** How the names are gone through. */
export interface Pass {
  /** How many at a time. */
  readonly jobs: number;
  /** The last one first. */
  readonly backwards?: boolean;
}

type Outcome = { readonly line: string | undefined } | { readonly error: unknown };

/**
 * Does something to each of several objects in order; one failure does not stop the rest. Prints what `work` returns.
 * Returns the exit status: 0, or that of the last failure; `exits` are the command's own for some codes (podman's `rm`
 * commands end with 1 where an object does not exist). Lines and errors come in the order of the names, whatever `pass`
 * says. An interruption ends it: INTERRUPTED, once all that was begun has come to rest.
 */
export async function forEachName(
  ctx: CliContext,
  names: readonly string[],
  work: (name: string) => Promise<string | undefined>,
  exits: Exits = {},
  pass: Pass = { jobs: 1 },
): Promise<number> {
  let exit = 0;
  let interruption: { readonly error: unknown } | undefined;
  for await (const outcome of outcomes(ctx, names, work, pass)) {
    if ('error' in outcome) {
      if (ctx.signal.aborted) interruption ??= outcome;
      else ctx.complain(outcome.error);
      exit = exitOf(outcome.error, exits);
    } else if (outcome.line !== undefined) ctx.print(`${outcome.line}\n`);
  }
  if (interruption !== undefined) throw interruption.error;
  return exit;
}

/** In the order of the names, each as soon as it is known with all before it. */
async function* outcomes(
  ctx: CliContext,
  names: readonly string[],
  work: (name: string) => Promise<string | undefined>,
  { jobs, backwards = false }: Pass,
): AsyncGenerator<Outcome> {
  const slots = names.map((name) => ({ name, ...Promise.withResolvers<Outcome>() }));
  const waiting = (backwards ? slots.toReversed() : slots).values();
  const worker = async (): Promise<void> => {
    for (const { name, resolve } of waiting) resolve(await outcomeOf(ctx, name, work));
  };
  const workers = Array.from({ length: Math.min(jobs, names.length) }, worker);
  for (const { promise } of slots) yield await promise;
  await Promise.all(workers);
}

/** Never rejects. */
async function outcomeOf(
  ctx: CliContext,
  name: string,
  work: (name: string) => Promise<string | undefined>,
): Promise<Outcome> {
  try {
    ctx.signal.throwIfAborted();
    return { line: await work(name) };
  } catch (error) {
    return { error };
  }
}

const exitOf = (error: unknown, exits: Exits): number =>
  error instanceof CryopodError ? (exits[error.code] ?? error.exitStatus) : ERROR_TABLE.INTERNAL.exit;
