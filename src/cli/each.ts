import { CryopodError, ERROR_TABLE, type ErrorCode } from '../model/errors.ts';
import type { CliContext } from './context.ts';

/**
 * Does something to each of several objects in order; one failure does not stop the rest. Prints what `work` returns.
 * Returns the exit status: 0, or that of the last failure; `exits` are the command's own for some codes (podman's `rm`
 * commands end with 1 where an object does not exist).
 */
export async function forEachName(
  ctx: CliContext,
  names: readonly string[],
  work: (name: string) => Promise<string | undefined>,
  exits: Readonly<Partial<Record<ErrorCode, number>>> = {},
): Promise<number> {
  let exit = 0;
  for (const name of names) {
    try {
      const line = await work(name);
      if (line !== undefined) ctx.print(`${line}\n`);
    } catch (error) {
      if (ctx.signal.aborted) throw error;
      ctx.complain(error);
      exit = exitOf(error, exits);
    }
  }
  return exit;
}

const exitOf = (error: unknown, exits: Readonly<Partial<Record<ErrorCode, number>>>): number =>
  error instanceof CryopodError ? (exits[error.code] ?? error.exitStatus) : ERROR_TABLE.INTERNAL.exit;
