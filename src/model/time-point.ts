import { fail } from './errors.ts';

const UNIX = /^\d+(?:\.\d+)?$/;
/** RFC 3339, its date alone, or without the seconds or the zone (then UTC), as podman reads --since and --until. */
const DATE = /^\d{4}-\d\d-\d\d(?:[T ]\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?)?(Z|[+-]\d\d:?\d\d)?$/;
const DURATION = /^-?(?:\d+(?:\.\d+)?(?:h|ms|m|s|us|µs|ns))+$/;

const MILLISECONDS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
};

/**
 * Milliseconds since 1970 from a Unix time (`1700000000.5`), a date (`2026-01-02T03:04:05Z`) or Go's duration (`10m`,
 * `1h30m`) before `now`, or behind it where podman means that (`logs --until`). Throws USAGE.
 */
export function parseTimePoint(
  text: string,
  now: number = Date.now(),
  direction: 'before' | 'behind' = 'before',
): number {
  if (UNIX.test(text)) return Number(text) * 1000;
  if (DURATION.test(text)) return direction === 'before' ? now - duration(text) : now + duration(text);
  const date = DATE.exec(text) === null ? Number.NaN : Date.parse(completed(text));
  if (!Number.isNaN(date)) return date;
  return fail('USAGE', {
    message: `failed to parse time/duration "${text}"`,
    hint: 'Give a date (2026-01-02T03:04:05Z), seconds since 1970, or a duration before now (10m, 1h30m).',
  });
}

function duration(text: string): number {
  const parts = [...text.matchAll(/([0-9.]+)([a-zµ]+)/g)];
  const sum = parts.reduce(
    (total, [, number, unit = '']) => total + Number(number) * (MILLISECONDS[unit] ?? 0),
    0,
  );
  return text.startsWith('-') ? -sum : sum;
}

/** Fills up what Date.parse needs: minutes, and the zone. */
function completed(text: string): string {
  const zone = /(?:Z|[+-]\d\d:?\d\d)$/.exec(text.slice(10))?.[0] ?? '';
  const local = zone === '' ? text : text.slice(0, -zone.length);
  const [date = '', time = ''] = [local.slice(0, 10), local.slice(11)];
  const clock = time === '' ? '00:00' : time.includes(':') ? time : `${time}:00`;
  return `${date}T${clock}${zone === '' ? 'Z' : zone}`;
}
