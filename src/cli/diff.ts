import { type DiffKind, diff, diffAsJson } from '../engine/diff.ts';
import { latestContainer } from '../engine/latest.ts';
import { fail } from '../model/errors.ts';
import type { CliContext } from './context.ts';
import { defineCommand } from './parse/command.ts';
import { defineFlags } from './parse/flags.ts';
import { isJsonFormat, toJson } from './render/template.ts';

/** Spaces a level, as podman's. */
const INDENT = 5;

const FORMAT = { type: 'string', value: 'json', help: 'json instead of lines' } as const;

/** Prints the changes as lines `C /etc`, or as JSON. */
async function printDiff(
  ctx: CliContext,
  [name = '', base]: readonly string[],
  kind: DiffKind,
  format: string | undefined,
): Promise<number> {
  const json = format !== undefined && format !== '' && isJsonFormat(format);
  if (format !== undefined && format !== '' && !json) {
    fail('USAGE', { message: "only supported value for '--format' is 'json'" });
  }
  const changes = diff(await ctx.engine(), name, { kind, base });
  if (json) ctx.print(`${toJson(await diffAsJson(changes), INDENT)}\n`);
  else for await (const change of changes) ctx.print(`${change.kind} ${change.path}\n`);
  return 0;
}

/** `diff` for containers, or for containers and images. */
export const containerDiff = (kind: 'container' | undefined) =>
  defineCommand({
    usage: kind === undefined ? '[options] CONTAINER|IMAGE [IMAGE]' : '[options] CONTAINER',
    long: 'Shows what was added (A), changed (C) and deleted (D) in a file system.',
    flags: defineFlags({
      format: FORMAT,
      latest: { short: 'l', type: 'bool', help: 'The container made last' },
    }),
    args: { max: 2 },
    run: async (ctx: CliContext, { format, latest }, names) => {
      if (latest && names.length > 0) {
        fail('USAGE', { message: '--latest and containers cannot be used together' });
      }
      if (!latest && names.length === 0) {
        fail('USAGE', { message: '"diff" requires a name, id, or the "--latest" flag' });
      }
      const wanted = latest ? [latestContainer(await ctx.engine())] : names;
      return printDiff(ctx, wanted, latest ? 'container' : kind, format);
    },
  });

/** `image diff`. */
export const imageDiff = () =>
  defineCommand({
    usage: '[options] IMAGE [IMAGE]',
    long: "Shows what an image's last layer, or an image against another one, added (A), changed (C) and deleted (D).",
    flags: defineFlags({ format: FORMAT }),
    args: { min: 1, max: 2 },
    run: (ctx: CliContext, { format }, names) => printDiff(ctx, names, 'image', format),
  });
