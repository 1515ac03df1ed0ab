import { fail } from '../../model/errors.ts';
import type { Arrival, Arrived, Departure, MoveFigures } from './types.ts';

export async function departPreCopy(_departure: Departure): Promise<MoveFigures> {
  return fail('MIGRATION_REFUSED', {
    message: 'the mode pre-copy is not there yet',
    hint: 'Use --mode cold.',
  });
}

export async function receivePreCopy(_arrival: Arrival): Promise<Arrived> {
  return fail('MIGRATION_REFUSED', {
    message: 'the mode pre-copy is not there yet',
    hint: 'Use --mode cold.',
  });
}
