import { readFileSync } from 'node:fs';
import { fail, messageOf } from '../../model/errors.ts';
import type { NamedText } from '../parse/options/environment.ts';

/** A file that an option names. Errors: USAGE. */
export function readText(path: string): NamedText {
  try {
    return { path, text: readFileSync(path, 'utf8') };
  } catch (error) {
    return fail('USAGE', { message: `could not read ${path}: ${messageOf(error)}`, cause: error });
  }
}
