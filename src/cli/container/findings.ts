import { type Finding, passes } from '../../engine/plan/preflight/finding.ts';
import type { Preflight } from '../../engine/preflight/checkpoint.ts';

import { fail } from '../../model/errors.ts';
import type { CliContext } from '../context.ts';
import { renderOne } from '../render/template.ts';

const MARKS: Readonly<Record<Finding['level'], string>> = {
  ok: 'ok       ',
  warning: 'warning  ',
  obstacle: 'OBSTACLE ',
};

/** Names come from archives and containers: control characters must not reach the terminal. */
const printable = (text: string): string => text.replace(/\p{Cc}+/gu, ' ');

/** Exit status of a preflight: 0 when the operation would begin, 125 when it would be refused, as it would end itself. */
export const preflightStatus = (preflights: readonly Preflight[]): number =>
  preflights.every(({ findings }) => passes(findings)) ? 0 : 125;

/**
 * What preflights found: a line for each check with its mark, the hint below it, and a verdict in `verb`'s words
 * (`checkpointed`, `restored`). With a format, the same as JSON or by a Go template over the same fields.
 */
export function renderFindings(
  preflights: readonly Preflight[],
  verb: string,
  format: string | undefined = undefined,
): string {
  if (format !== undefined && format !== '') {
    return renderOne(format, dataOf(preflights), { name: 'preflight' });
  }
  return preflights.map((preflight) => describe(preflight, verb)).join('\n');
}

const dataOf = (preflights: readonly Preflight[]) => ({
  works: preflightStatus(preflights) === 0,
  containers: preflights.map(({ input, findings }) => ({
    input,
    works: passes(findings),
    findings: findings.map(({ check, level, sentence, hint, code }) => ({
      check,
      level,
      sentence,
      ...(hint === undefined ? {} : { hint }),
      ...(code === undefined ? {} : { code }),
    })),
  })),
});

function describe({ input, findings }: Preflight, verb: string): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.flatMap(({ check, level, sentence, hint }) => [
    `${MARKS[level]} ${check.padEnd(width)}  ${printable(sentence)}`,
    ...(hint === undefined || level === 'ok' ? [] : [`${' '.repeat(width + 12)}Hint: ${printable(hint)}`]),
  ]);
  const obstacles = findings.filter(({ level }) => level === 'obstacle').length;
  const verdict =
    obstacles === 0
      ? `${printable(input)} can be ${verb}.`
      : `${printable(input)} cannot be ${verb}: ${obstacles} obstacle${obstacles === 1 ? '' : 's'}.`;
  return `${lines.join('\n')}\n\n${verdict}\n`;
}

/** --format is for the findings of --dry-run alone. Errors: USAGE. */
export function refuseFormatAlone(dryRun: boolean, format: string | undefined): void {
  if (!dryRun && format !== undefined) fail('USAGE', { message: '--format can only be used with --dry-run' });
}

/** Answers --dry-run: looks at each container, prints what was found and returns the exit status. */
export async function printFindings(
  ctx: Pick<CliContext, 'print'>,
  names: readonly string[],
  look: (name: string) => Promise<Preflight>,
  wording: FindingsWording,
): Promise<number> {
  const preflights: Preflight[] = [];
  for (const name of names) preflights.push(await look(name));
  return printFindingsOf(ctx, preflights, wording);
}

export interface FindingsWording {
  /** Completes "can be …". */
  readonly verb: string;
  readonly format: string | undefined;
}

/** Prints what was found and returns the exit status. */
export function printFindingsOf(
  ctx: Pick<CliContext, 'print'>,
  preflights: readonly Preflight[],
  { verb, format }: FindingsWording,
): number {
  ctx.print(renderFindings(preflights, verb, format));
  return preflightStatus(preflights);
}
