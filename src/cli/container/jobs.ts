import { availableParallelism } from 'node:os';
import type { EngineContext } from '../../engine/context.ts';
import { dependOnEachOther, namesTwice } from '../../engine/select.ts';
import { fail } from '../../model/errors.ts';
import type { Pass } from '../each.ts';

/**
 * Containers at a time for each CPU. Of the time that freezing and thawing one take, half is waiting: for the freezer, for the
 * disk, for the kernel to take namespaces and mounts apart. Measured on 2 CPUs with 20 small containers, 8 at a time need 70 % of
 * the time that 2 need to freeze, and 55 % to thaw; more gain nothing.
 */
const JOBS_PER_CPU = 4;

/** The flag of commands that work on many containers. */
export const JOBS_FLAG = {
  type: 'uint',
  value: 'N',
  help: 'How many containers at a time (default: four for each CPU)',
} as const;

/** How a command goes through its containers. Throws USAGE. */
export function passThrough(
  engine: EngineContext,
  names: readonly string[],
  { jobs, verb }: { readonly jobs: number | undefined; readonly verb: 'freeze' | 'thaw' },
): Pass {
  if (jobs === 0) fail('USAGE', { message: 'invalid --jobs 0: must be at least 1' });
  if (dependOnEachOther(engine, names)) return { jobs: 1, backwards: verb === 'freeze' };
  return { jobs: namesTwice(engine, names) ? 1 : (jobs ?? JOBS_PER_CPU * availableParallelism()) };
}

/** Results of `names` in their order; those that failed are left out. */
export const inOrder = <T>(names: readonly string[], results: ReadonlyMap<string, T>): T[] =>
  names.flatMap((name) => results.get(name) ?? []);
