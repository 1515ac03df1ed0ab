import { fail } from '../../model/errors.ts';
import type { Arrival, Arrived, Departure, MoveFigures } from './types.ts';

export async function departPostCopy(_departure: Departure): Promise<MoveFigures> {
  return fail('MIGRATION_REFUSED', {
    message: 'the mode post-copy is not there yet',
    hint: 'Use --mode cold.',
  });
}

export async function receivePostCopy(_arrival: Arrival): Promise<Arrived> {
  return fail('MIGRATION_REFUSED', {
    message: 'the mode post-copy is not there yet',
    hint: 'Use --mode cold.',
  });
}
