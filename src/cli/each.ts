import type { CliContext } from './context.ts';
import { CryopodError, ERROR_TABLE } from '../model/errors.ts';

/**
 * Does something to each of several objects in order; one failure does not stop the rest. Prints what `work` returns.
 * Returns the exit status: 0, or that of the last failure.
 */
export async function forEachName(
  ctx: CliContext,
  names: readonly string[],
  work: (name: string) => Promise<string | undefined>,
): Promise<number> {
  let exit = 0;
  for (const name of names) {
    try {
      const line = await work(name);
      if (line !== undefined) ctx.print(`${line}\n`);
    } catch (error) {
      if (ctx.signal.aborted) throw error;
      ctx.complain(error);
      exit = error instanceof CryopodError ? error.exitStatus : ERROR_TABLE.INTERNAL.exit;
    }
  }
  return exit;
}
