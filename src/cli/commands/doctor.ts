import { type Check, type Diagnosis, diagnose } from '../../engine/doctor.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';
import { renderOne } from '../render/template.ts';

const MARKS: Readonly<Record<Check['status'], string>> = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' };

/** Control characters of a program's output must not reach the terminal. */
const printable = (text: string): string => text.replace(/\p{Cc}+/gu, ' ');

function describe({ works, checks }: Diagnosis): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const indent = ' '.repeat(6);
  const lines = checks.flatMap(({ name, status, found, meaning, fix }) => [
    `${MARKS[status]}  ${name.padEnd(width)}  ${printable(found)}`,
    ...(meaning === undefined ? [] : [`${indent}${status === 'ok' ? '' : 'So: '}${meaning}.`]),
    ...(fix === undefined ? [] : [`${indent}Fix: ${fix}`]),
  ]);
  const verdict = works
    ? 'Checkpoint and restore will work on this host.'
    : 'Checkpoint and restore will not work on this host: see the lines marked FAIL.';
  return `${lines.join('\n')}\n\n${verdict}\n`;
}

export const command = defineCommand({
  usage: '[options]',
  long: 'Looks at CRIU, the runtimes, the kernel, sysctls and free space, freezes and thaws a test process, and says what will not work and what to do about it. Exit status 0 when checkpoint and restore will work, else 1.',
  examples: ['doctor', 'doctor --format json'],
  flags: defineFlags({
    format: { short: 'f', type: 'string', value: 'FORMAT', help: 'json or a Go template' },
  }),
  args: { max: 0 },
  run: async (ctx: CliContext, { format }) => {
    const diagnosis = await diagnose(await ctx.engine());
    ctx.print(
      format === undefined || format === ''
        ? describe(diagnosis)
        : renderOne(format, diagnosis, { name: 'doctor' }),
    );
    return diagnosis.works ? 0 : 1;
  },
});
