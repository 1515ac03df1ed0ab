import assert from 'node:assert/strict';
import { isCryopodError } from '../../../model/errors.ts';

/** Asserts that a parser refuses as a usage error with exactly these words, or with words that match. */
export function assertRefused(call: () => unknown, message: string | RegExp): void {
  assert.throws(call, (error) => {
    assert.ok(isCryopodError(error, 'USAGE'), String(error));
    if (typeof message === 'string') assert.equal(error.message, message);
    else assert.match(error.message, message);
    return true;
  });
}
