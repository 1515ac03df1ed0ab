/** What a policy decides on. */
export interface Kept {
  readonly name: string;
  /** ISO 8601. */
  readonly created: string;
}

/**
 * Which checkpoints to keep, in the sense of `restic forget`: a checkpoint stays when one of the rules keeps it. Hours,
 * days, weeks (ISO 8601) and months are those of UTC, and in each the newest checkpoint counts.
 */
export interface Retention {
  /** The newest so many. */
  readonly last: number;
  /** Seconds before the newest checkpoint; undefined: no such rule. */
  readonly within: number | undefined;
  /** Of so many hours, days, weeks and months that have any. */
  readonly hourly: number;
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
}

/** True where no rule keeps anything. */
export const keepsNothing = ({ last, within, hourly, daily, weekly, monthly }: Retention): boolean =>
  within === undefined && [last, hourly, daily, weekly, monthly].every((count) => count === 0);

const DAY_MS = 24 * 3600 * 1000;

/** The Monday of a time's week, as a day number. */
const weekOf = (time: Date): string => {
  const day = Math.floor(time.getTime() / DAY_MS);
  return String(day - ((time.getUTCDay() + 6) % 7));
};

const PERIODS: readonly (readonly [
  rule: 'hourly' | 'daily' | 'weekly' | 'monthly',
  period: (time: Date) => string,
])[] = [
  ['hourly', (time) => time.toISOString().slice(0, 13)],
  ['daily', (time) => time.toISOString().slice(0, 10)],
  ['weekly', weekOf],
  ['monthly', (time) => time.toISOString().slice(0, 7)],
];

/** The checkpoints that a policy does not keep, newest first. `checkpoints` may be in any order. Pure. */
export function toRemove<T extends Kept>(checkpoints: readonly T[], retention: Retention): T[] {
  const newestFirst = checkpoints.toSorted((a, b) => Date.parse(b.created) - Date.parse(a.created));
  const kept = new Set<T>(newestFirst.slice(0, retention.last));
  const [newest] = newestFirst;
  if (newest === undefined) return [];
  const { within } = retention;
  if (within !== undefined) {
    const since = Date.parse(newest.created) - within * 1000;
    for (const one of newestFirst) if (Date.parse(one.created) >= since) kept.add(one);
  }
  for (const [rule, periodOf] of PERIODS) {
    for (const one of firstOfEach(newestFirst, periodOf).slice(0, retention[rule])) kept.add(one);
  }
  return newestFirst.filter((one) => !kept.has(one));
}

function firstOfEach<T extends Kept>(newestFirst: readonly T[], periodOf: (time: Date) => string): T[] {
  const seen = new Set<string>();
  return newestFirst.filter(({ created }) => {
    const period = periodOf(new Date(Date.parse(created)));
    if (seen.has(period)) return false;
    seen.add(period);
    return true;
  });
}
