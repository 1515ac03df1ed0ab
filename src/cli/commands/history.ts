import { type HistoryRow, imageHistory } from '../../engine/image/history.ts';
import { shortId } from '../../model/ids.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';
import { humanAgo, spacedSize } from '../render/human.ts';
import { isJsonFormat, renderList, toJson } from '../render/template.ts';

const TABLE = 'table {{.ID}}\t{{.Created}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}';
/** Characters of a step's command in the table. */
const MAX_COMMAND = 45;

/** RFC 3339 to the second, as Go writes it. */
const seconds = (created: string): string => created.replace(/\.\d+/, '');

const stepAsJson = (step: HistoryRow): object => ({
  id: step.id,
  created: seconds(step.created),
  CreatedBy: step.createdBy,
  size: step.size,
  comment: step.comment,
  ...(step.tags.length === 0 ? {} : { tags: step.tags }),
  Created: seconds(step.created),
});

interface RowOptions {
  readonly human: boolean;
  readonly noTrunc: boolean;
}

function toRow(step: HistoryRow, { human, noTrunc }: RowOptions, now: number): object {
  const created = human ? humanAgo(step.created, now) : seconds(step.created);
  const long = !noTrunc && step.createdBy.length > MAX_COMMAND;
  return {
    ID: noTrunc || step.id.startsWith('<') ? step.id : shortId(step.id),
    Created: created,
    CreatedAt: seconds(step.created),
    CreatedSince: created,
    CreatedBy: long ? `${step.createdBy.slice(0, MAX_COMMAND - 3)}...` : step.createdBy,
    Size: human ? spacedSize(step.size).replace(' ', '') : String(step.size),
    Comment: step.comment,
    Tags: step.tags,
  };
}

export const command = defineCommand({
  usage: '[options] IMAGE',
  flags: defineFlags({
    format: { type: 'string', value: 'FORMAT', help: 'json or a Go template' },
    human: { short: 'H', type: 'bool', default: true, help: 'Sizes and times for people' },
    noTrunc: { type: 'bool', help: 'Whole IDs and commands' },
    quiet: { short: 'q', type: 'bool', help: 'Only IDs' },
  }),
  args: { min: 1, max: 1 },
  run: async (ctx: CliContext, { format, human, noTrunc, quiet }, [image = '']) => {
    const steps = await imageHistory(await ctx.engine(), image);
    if (format !== undefined && isJsonFormat(format)) {
      ctx.print(`${toJson(steps.map(stepAsJson))}\n`);
      return 0;
    }
    const now = Date.now();
    const rows = steps.map((step) => toRow(step, { human, noTrunc }, now));
    ctx.print(renderList(quiet ? '{{.ID}}' : (format ?? TABLE), rows, { name: 'history' }));
    return 0;
  },
});
