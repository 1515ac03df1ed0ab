import type { MigrateOptions } from '../../engine/migrate/types.ts';
import { fail } from '../../model/errors.ts';
import { parseSize } from '../render/human.ts';

/** Flags of migrate as they were given. */
export interface MigrateFlags {
  readonly bwlimit: string | undefined;
  readonly compress: string;
  readonly fileLocks: boolean;
  readonly ignoreCpu: boolean;
  readonly keepSource: boolean;
  readonly maxRounds: number;
  readonly mode: string;
  readonly name: string | undefined;
  readonly tcpEstablished: boolean;
  readonly timeout: number;
  readonly via: string | undefined;
}

const MODES = ['auto', 'cold', 'pre-copy', 'post-copy'] as const;
const COMPRESSIONS = ['auto', 'none', 'zstd'] as const;

function oneOf<T extends string>(flag: string, values: readonly T[], given: string): T {
  const known = values.find((value) => value === given);
  return (
    known ?? fail('USAGE', { message: `invalid --${flag} "${given}": must be one of ${values.join(', ')}` })
  );
}

/** Seconds: both sides give a sign of life in each. */
const SHORTEST_PATIENCE = 3;
const LONGEST_PATIENCE = 86_400;

/** Errors: USAGE. */
export function readMigrateFlags(flags: MigrateFlags): Omit<MigrateOptions, 'host'> {
  const { timeout } = flags;
  if (timeout < SHORTEST_PATIENCE || timeout > LONGEST_PATIENCE) {
    const range = `must be ${SHORTEST_PATIENCE} to ${LONGEST_PATIENCE} seconds`;
    fail('USAGE', { message: `invalid --timeout "${timeout}": ${range}` });
  }
  return {
    ...flags,
    mode: oneOf('mode', MODES, flags.mode),
    compress: oneOf('compress', COMPRESSIONS, flags.compress),
    bwlimit: readRate(flags.bwlimit),
  };
}

function readRate(given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  let rate = 0;
  try {
    rate = parseSize(given);
  } catch {
    // Told below.
  }
  if (rate <= 0)
    fail('USAGE', { message: `invalid --bwlimit "${given}": must be bytes a second, such as 50m` });
  return rate;
}
