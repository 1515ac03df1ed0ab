/** What one round of a move cost. */
export interface RoundFigures {
  /** Bytes of memory and files that it brought. */
  readonly bytes: number;
  /** Microseconds until the other side had them. */
  readonly duration: number;
}

export interface RoundRules {
  /** Rounds before the freeze, at most. */
  readonly maxRounds: number;
  /** Microseconds that the rest may take in the freeze. */
  readonly goal: number;
}

/** What can be told of the freeze after a round. */
export interface Verdict {
  readonly verdict: 'again' | 'small' | 'stuck' | 'limit';
  /** Bytes that have changed since, about. */
  readonly rest: number;
  /** Microseconds that these take. */
  readonly transfer: number;
}

/** Microseconds: no client notices less, beside what a freeze takes anyway. */
export const REST_GOAL = 100_000;

/** Bytes that any link takes while a container is frozen and thawed. */
const NOTHING = 1 << 20;

/**
 * Bytes of files for which a round is worth its steps on any link. Measured for cold moves at 112 MiB/s on a busy machine: 8 MiB
 * were down for 0.86 s with a round and 0.97 s without, and took 0.1 s more in all; from 64 MiB on both are shorter.
 */
const WORTH_A_ROUND = 8 << 20;

/** Bytes, and bytes a second. */
export interface EarlyFiles {
  readonly files: number;
  /** Undefined where it is not known. */
  readonly linkRate: number | undefined;
}

/** Whether files are to be sent before the freeze: a link may be slow. Pure. */
export const areWorthRounds = ({ files, linkRate = Number.POSITIVE_INFINITY }: EarlyFiles): boolean =>
  files > 0 && files >= Math.min(WORTH_A_ROUND, (linkRate * REST_GOAL) / 1e6);

/**
 * Whether a second round shortens the freeze: what has changed since the first one is much, but less than half of that. Files
 * go whole, so that a third one would hardly bring less. `rest` in bytes. Pure.
 */
export const isAnotherWorthIt = ({ files, linkRate }: EarlyFiles, rest: number): boolean =>
  areWorthRounds({ files: rest, linkRate }) && rest < files / 2;

/** A round that brings more than this share of the one before it has gained nothing that is worth its time. */
const SHRINKS = 0.8;

/**
 * Whether another round shortens the freeze. `rounds`: those so far, at least one. What has changed since the last one began
 * is told from what that one itself brought, which are the changes of the time of the round before it. The first brings all
 * there is, which tells nothing of changes, so that there are two at least. Pure.
 */
export function judgeRounds(rounds: readonly RoundFigures[], { maxRounds, goal }: RoundRules): Verdict {
  const last = rounds.at(-1) ?? { bytes: 0, duration: 0 };
  const before = rounds.at(-2);
  // Small rounds take the time of their steps, not that of the link.
  const speed = Math.max(...rounds.map(({ bytes, duration }) => bytes / Math.max(duration, 1)));
  const share = before === undefined ? 1 : Math.min(1, last.duration / Math.max(before.duration, 1));
  const rest = Math.round(share * last.bytes);
  const transfer = rest === 0 ? 0 : Math.round(rest / speed);
  return { verdict: verdictOf(), rest, transfer };

  function verdictOf(): Verdict['verdict'] {
    if (before !== undefined && (transfer <= goal || rest <= NOTHING)) return 'small';
    if (rounds.length >= maxRounds) return 'limit';
    if (before !== undefined && last.bytes > before.bytes * SHRINKS) return 'stuck';
    return 'again';
  }
}
