import { type ErrorCode, fail } from '../../../model/errors.ts';

/** What a preflight looked at. */
export type CheckName =
  | 'rights'
  | 'state'
  | 'images'
  | 'cpu'
  | 'kernel'
  | 'criu'
  | 'runtime'
  | 'cgroups'
  | 'security'
  | 'volumes'
  | 'name'
  | 'id'
  | 'image'
  | 'network'
  | 'ports'
  | 'mounts'
  | 'processes'
  | 'previous'
  | 'connections'
  | 'locks'
  | 'freeze'
  | 'mode'
  | 'space';

/** One thing that a preflight found out about an operation that has not begun. */
export interface Finding {
  readonly check: CheckName;
  /** obstacle: the operation is refused. warning: it will work, but something may differ from what is expected. */
  readonly level: 'ok' | 'warning' | 'obstacle';
  /** Without its full stop; of an obstacle also the error's message. */
  readonly sentence: string;
  /** What to change. */
  readonly hint?: string | undefined;
  /** Of an obstacle: the error that the operation fails with. */
  readonly code?: ErrorCode | undefined;
}

export const ok = (check: CheckName, sentence: string): Finding => ({ check, level: 'ok', sentence });

export const warning = (check: CheckName, sentence: string, hint?: string): Finding => ({
  check,
  level: 'warning',
  sentence,
  hint,
});

export const obstacle = (check: CheckName, code: ErrorCode, sentence: string, hint?: string): Finding => ({
  check,
  level: 'obstacle',
  sentence,
  hint,
  code,
});

/** What a container would get of the host: the user's word (`trust`) makes a warning of it. */
export function asRisk(archive: string, what: string, trust: boolean): Finding {
  const sentence = `the container in ${archive} ${what}`;
  if (trust) return warning('security', sentence);
  const hint = 'Add --trust if you know where the archive comes from and want that.';
  return obstacle('security', 'RESTORE_REFUSED', sentence, hint);
}

/** No obstacle is among the findings: the operation would begin. */
export const passes = (findings: readonly Finding[]): boolean =>
  findings.every(({ level }) => level !== 'obstacle');

/** Throws the first obstacle as the error of its code, telling how many others there are; returns when there is none. */
export function refuseObstacles(findings: readonly Finding[]): void {
  const [first, ...others] = findings.filter(({ level }) => level === 'obstacle');
  if (first === undefined) return;
  const more = others.length === 1 ? 'There is 1 more obstacle' : `There are ${others.length} more obstacles`;
  const hints = [first.hint, others.length === 0 ? undefined : `${more}: --dry-run shows all.`];
  fail(first.code ?? 'INTERNAL', {
    message: first.sentence,
    hint: hints.every((hint) => hint === undefined)
      ? undefined
      : hints.filter((hint) => hint !== undefined).join(' '),
  });
}

const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Bytes as people say them: `115 kB`, `79.9 GB`. */
export function roughly(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${Number(value.toPrecision(3))} ${UNITS[unit]}`;
}
