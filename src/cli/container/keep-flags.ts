import { keepsNothing, type Retention } from '../../engine/plan/retention.ts';
import { fail } from '../../model/errors.ts';
import { defineFlags } from '../parse/flags.ts';

/** Options that say which checkpoints of a history stay. */
export const KEEP_FLAGS = defineFlags({
  keepLast: { type: 'uint', value: 'N', help: 'Keep the newest N' },
  keepWithin: { type: 'string', value: 'TIME', help: 'Keep those of this long before the newest: 36h, 7d' },
  keepHourly: { type: 'uint', value: 'N', help: 'Keep the newest of each of the last N hours that have any' },
  keepDaily: { type: 'uint', value: 'N', help: 'The same for days' },
  keepWeekly: { type: 'uint', value: 'N', help: 'The same for weeks' },
  keepMonthly: { type: 'uint', value: 'N', help: 'The same for months' },
});

interface KeepFlags {
  readonly keepLast: number | undefined;
  readonly keepWithin: string | undefined;
  readonly keepHourly: number | undefined;
  readonly keepDaily: number | undefined;
  readonly keepWeekly: number | undefined;
  readonly keepMonthly: number | undefined;
}

/** What the options keep. Errors: USAGE where they keep nothing at all. */
export function readKeepFlags(flags: KeepFlags): Retention {
  const retention = {
    last: flags.keepLast ?? 0,
    within: flags.keepWithin === undefined ? undefined : parseSeconds('--keep-within', flags.keepWithin),
    hourly: flags.keepHourly ?? 0,
    daily: flags.keepDaily ?? 0,
    weekly: flags.keepWeekly ?? 0,
    monthly: flags.keepMonthly ?? 0,
  };
  if (keepsNothing(retention)) {
    fail('USAGE', {
      message:
        'nothing would be kept: give --keep-last, --keep-within, --keep-hourly, --keep-daily, --keep-weekly or --keep-monthly',
      hint: 'To remove single checkpoints: cryopod checkpoint rm CONTAINER@NAME',
    });
  }
  return retention;
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 24 * 3600, w: 7 * 24 * 3600 };

/** Seconds of a text such as 90s, 10m, 1h30m, 7d. Errors: USAGE, naming the flag. */
export function parseSeconds(flag: string, text: string): number {
  if (!/^(?:\d+[smhdw])+$/.test(text)) {
    fail('USAGE', { message: `invalid ${flag} "${text}": give a time such as 90s, 10m, 1h30m, 7d` });
  }
  return [...text.matchAll(/(\d+)([smhdw])/g)].reduce(
    (sum, [, count = '', unit = '']) => sum + Number(count) * (UNITS[unit] ?? 0),
    0,
  );
}
