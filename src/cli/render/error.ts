import { CryopodError, inWords } from '../../model/errors.ts';

/**
 * An error as the terminal shows it: `Error: ` and the message; then, where there are some, the hint, the decisive lines
 * of the log with its path, and what could not be cleaned up. A defect shows its stack.
 */
export function renderError(thrown: unknown): string {
  const error = inWords(thrown);
  if (!(error instanceof CryopodError)) {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return `Error: internal error: ${detail}\n`;
  }
  const lines = [`Error: ${error.message}`];
  if (error.hint !== undefined) lines.push(`Hint: ${error.hint}`);
  if (error.log !== undefined) {
    lines.push(...error.log.lines.map((line) => `  | ${line}`), `Log: ${error.log.path}`);
  }
  for (const failure of error.cleanupErrors) {
    lines.push(`Also: ${failure instanceof Error ? failure.message : String(failure)}`);
  }
  return `${lines.join('\n')}\n`;
}
