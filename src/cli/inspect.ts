import { CryopodError } from '../model/errors.ts';
import type { CliContext } from './context.ts';
import { renderList } from './render/template.ts';

/** Spaces a level in what podman's inspect commands print. */
const INDENT = 5;

/**
 * Prints what is known of several objects: a JSON array, or a template once for each. An object that does not exist is
 * complained about and the others are printed all the same. Returns the exit status.
 */
export async function printInspected(
  ctx: CliContext,
  names: readonly string[],
  inspect: (name: string) => Promise<unknown>,
  format: string | undefined,
): Promise<number> {
  const found: unknown[] = [];
  const errors: CryopodError[] = [];
  for (const name of names) {
    try {
      found.push(await inspect(name));
    } catch (error) {
      if (!(error instanceof CryopodError)) throw error;
      errors.push(error);
    }
  }
  const chosen = format === undefined || format === '' ? 'json' : format;
  ctx.print(renderList(chosen, found, { name: 'inspect', indent: INDENT }));
  for (const error of errors) ctx.complain(error);
  return errors.at(-1)?.exitStatus ?? 0;
}
