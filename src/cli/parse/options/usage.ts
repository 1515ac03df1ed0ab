import { fail } from '../../../model/errors.ts';

/** Refuses the value of an option. */
export function refuse(message: string, hint?: string): never {
  fail('USAGE', { message, hint });
}

/** Text in double quotes as Go's %q writes it. */
export const quoted = (text: string): string => JSON.stringify(text);

/** Splits at the first separator; the second part is undefined where there is none (Go's strings.Cut). */
export function cut(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** Runs a parser and puts words before the message of its refusal. */
export function inContext<T>(before: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof Error) error.message = `${before}: ${error.message}`;
    throw error;
  }
}
