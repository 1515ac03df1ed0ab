import { fail } from '../../../model/errors.ts';

/** A template's text with its name, as its errors show it. */
export interface Source {
  readonly name: string;
  readonly text: string;
}

/** Lines from 1; white space at the end of the template is on the line of its last action. */
const lineOf = (text: string, pos: number): number =>
  text.slice(0, Math.min(pos, text.trimEnd().length)).split('\n').length;

/** Refuses a template that cannot be parsed: `template: ps:1: unclosed action`. */
export const parseError = ({ name, text }: Source, pos: number, message: string): never =>
  fail('USAGE', { message: `template: ${name}:${lineOf(text, pos)}: ${message}` });

/** Refuses a template while it runs, with line, column (from 0) and the place's text, as Go's text/template. */
export function execError({ name, text }: Source, pos: number, at: string, message: string): never {
  const column = pos - (text.lastIndexOf('\n', pos - 1) + 1);
  return fail('USAGE', {
    message: `template: ${name}:${lineOf(text, pos)}:${column}: executing "${name}" at <${at}>: ${message}`,
  });
}
