import type { MigrateResult } from '../../engine/migrate.ts';
import type { SettledMove } from '../../engine/settle-move.ts';
import type { Progress } from '../../model/progress.ts';
import type { CliContext } from '../context.ts';
import { humanSize } from '../render/human.ts';

interface ReportOptions {
  /** A line of JSON instead of a sentence. */
  readonly json: boolean;
}

const seconds = (micros: number): string => `${(micros / 1e6).toFixed(micros < 1e7 ? 2 : 1)} s`;

/** One line about a container that has moved. Durations in microseconds in JSON, as in --print-stats. */
export function reportMove(result: MigrateResult, { json }: ReportOptions): string {
  const { input, id, to, mode, why, downtime, duration, bytesSent, rounds } = result;
  if (json) {
    const fields = { container: input, id, to, mode, why, downtime, duration, bytesSent, rounds };
    return JSON.stringify({ event: 'moved', ...fields });
  }
  const inRounds = rounds === 0 ? '' : ` in ${rounds} round${rounds === 1 ? '' : 's'}`;
  return `${input} runs at ${to}: down for ${seconds(downtime)}, ${seconds(duration)} in all, ${humanSize(bytesSent)} sent${inRounds} (${mode}: ${why})`;
}

/** One line about a container that is no longer in doubt. */
export function reportSettled({ input, id, at, to, outcome }: SettledMove, { json }: ReportOptions): string {
  if (json) return JSON.stringify({ event: 'settled', container: input, id, at, to, outcome });
  return at === 'there' ? `${input} runs at ${to}` : `${input} goes on here`;
}

/** Progress as lines of JSON among the results. */
export const eventsOf =
  ({ print }: Pick<CliContext, 'print'>): Progress =>
  (event) =>
    print(`${JSON.stringify({ event: 'progress', ...event })}\n`);
