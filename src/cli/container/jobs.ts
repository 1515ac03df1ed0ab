import { availableParallelism } from 'node:os';
import type { EngineContext } from '../../engine/context.ts';
import { dependOnEachOther, namesTwice } from '../../engine/select.ts';
import { fail } from '../../model/errors.ts';
import type { Pass } from '../each.ts';

/** The flag of commands that work on many containers. */
export const JOBS_FLAG = {
  type: 'uint',
  value: 'N',
  help: 'How many containers at a time (default: as many as there are CPUs)',
} as const;

/** How a command goes through its containers. Throws USAGE. */
export function passThrough(
  engine: EngineContext,
  names: readonly string[],
  { jobs, verb }: { readonly jobs: number | undefined; readonly verb: 'freeze' | 'thaw' },
): Pass {
  if (jobs === 0) fail('USAGE', { message: 'invalid --jobs 0: must be at least 1' });
  if (dependOnEachOther(engine, names)) return { jobs: 1, backwards: verb === 'freeze' };
  return { jobs: namesTwice(engine, names) ? 1 : (jobs ?? availableParallelism()) };
}

/** Results of `names` in their order; those that failed are left out. */
export const inOrder = <T>(names: readonly string[], results: ReadonlyMap<string, T>): T[] =>
  names.flatMap((name) => results.get(name) ?? []);
