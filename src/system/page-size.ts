import { readFileSync } from 'node:fs';
import { fail } from '../model/errors.ts';

/** The auxiliary vector's AT_PAGESZ (getauxval(3)): pairs of words. */
const AT_PAGESZ = 6n;

/** Bytes of a page of memory on this host. */
export function hostPageBytes(): number {
  const vector = readFileSync('/proc/self/auxv');
  for (let at = 0; at + 16 <= vector.length; at += 16) {
    if (vector.readBigUInt64LE(at) === AT_PAGESZ) return Number(vector.readBigUInt64LE(at + 8));
  }
  return fail('INTERNAL', { message: '/proc/self/auxv does not tell the size of a page' });
}
