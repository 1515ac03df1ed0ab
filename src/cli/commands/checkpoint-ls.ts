import { type ListedCheckpoint, listHistory } from '../../engine/history/list.ts';
import { isStored } from '../../model/checkpoint.ts';
import { fail } from '../../model/errors.ts';
import { shortId } from '../../model/ids.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';
import { humanAgo, spacedSize } from '../render/human.ts';
import { isJsonFormat, renderList, toJson } from '../render/template.ts';

const TABLE =
  'table {{.Container}}\t{{.Name}}\t{{.CreatedHuman}}\t{{.Size}}\t{{.OwnSize}}\t{{.Parent}}\t{{.StatusText}}';

const HEADINGS = { CreatedHuman: 'CREATED', OwnSize: 'OWN SIZE', StatusText: 'STATUS' };

export const command = defineCommand({
  usage: '[options] [CONTAINER]',
  long: 'Lists the named checkpoints of one container, or of all, oldest first. SIZE is what a checkpoint would take alone, OWN SIZE what it takes beside the one that it is stored against (PARENT). Runs of a schedule that failed or were missed show as well.',
  examples: ['checkpoint ls', 'checkpoint ls db', 'checkpoint ls --format "{{.Name}} {{.OwnSize}}" db'],
  flags: defineFlags({
    format: { type: 'string', value: 'FORMAT', help: 'json or a Go template' },
    noheading: { short: 'n', type: 'bool', help: 'No headings' },
    quiet: { short: 'q', type: 'bool', help: 'Only CONTAINER@NAME' },
  }),
  args: { max: 1 },
  run: async (ctx: CliContext, { format, noheading, quiet }, [container]) => {
    if (quiet && format !== undefined) {
      fail('USAGE', { message: 'quiet and format flags cannot be used together' });
    }
    const found = listHistory(await ctx.engine(), container);
    if (format !== undefined && isJsonFormat(format)) {
      ctx.print(`${toJson(found.map(asJson), 2)}\n`);
      return 0;
    }
    const now = Date.now();
    const rows = found.map((one) => rowOf(one, now));
    const template = quiet ? '{{.Container}}@{{.Name}}' : (format ?? TABLE);
    ctx.print(renderList(template, rows, { name: 'ls', noheading, headings: HEADINGS }));
    return 0;
  },
});

const asJson = (one: ListedCheckpoint): object => ({
  Container: one.containerName,
  ContainerID: one.container,
  Name: one.name,
  Created: one.created,
  Size: one.wholeBytes,
  OwnSize: one.ownBytes,
  Parent: one.parent ?? '',
  Status: one.status,
  Automatic: one.automatic,
  Message: one.message,
});

const rowOf = (one: ListedCheckpoint, now: number): object => ({
  ...asJson(one),
  ContainerID: shortId(one.container),
  StatusText: one.message === '' ? one.status : `${one.status}: ${one.message}`,
  CreatedHuman: humanAgo(one.created, now),
  Size: isStored(one) ? spacedSize(one.wholeBytes) : '',
  OwnSize: isStored(one) ? spacedSize(one.ownBytes) : '',
});
