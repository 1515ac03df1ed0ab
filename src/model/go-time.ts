/**
 * A time as Go's templates see it: printed in the form of Go's time.String, in JSON as RFC 3339. `unix` is for callers
 * that need the number.
 */
export interface GoTime {
  readonly [GO_TIME]: true;
  /** `2026-11-23 09:47:21.18 +0000 UTC`. */
  readonly text: string;
  /** Seconds since 1970, whole. */
  readonly unix: number;
  readonly toJSON: () => string;
}

const GO_TIME: unique symbol = Symbol('time');

/** Go's zero time, which stands for "never". */
export const ZERO_TIME = '0001-01-01T00:00:00Z';

/** From ISO 8601 in UTC with any number of fractional digits; undefined is Go's zero time. */
export function goTime(iso: string = ZERO_TIME): GoTime {
  // Go leaves out zeros at the end of the fraction (RFC3339Nano).
  const short = iso.replace(/(?:\.0+|(\.\d*[1-9])0*)Z$/, '$1Z');
  return {
    [GO_TIME]: true,
    text: `${short.replace('T', ' ').slice(0, -1)} +0000 UTC`,
    unix: Math.floor(Date.parse(iso) / 1000),
    toJSON: () => short,
  };
}

export const isGoTime = (value: unknown): value is GoTime =>
  typeof value === 'object' && value !== null && GO_TIME in value;
