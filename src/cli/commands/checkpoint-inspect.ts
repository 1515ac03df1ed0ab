import { inspectCheckpoint } from '../../engine/checkpoint-view/report.ts';
import { reportAsJson } from '../checkpoint/report-json.ts';
import { reportAsText } from '../checkpoint/report-text.ts';
import { chosenSections, SECTION_FLAGS } from '../checkpoint/sections.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';
import { renderOne } from '../render/template.ts';

export const command = defineCommand({
  usage: '[options] FILE|CONTAINER|IMAGE',
  long: 'Shows what is in a checkpoint without restoring it: an archive, the checkpoint of a container, or a checkpoint image. As text a summary and the processes, unless other parts are asked for; as JSON all but the environment.',
  examples: [
    'checkpoint inspect db',
    'checkpoint inspect --files --sockets web.tar.zst',
    'checkpoint inspect --format json web.tar.zst',
  ],
  flags: defineFlags({
    ...SECTION_FLAGS,
    format: { short: 'f', type: 'string', value: 'FORMAT', help: 'json or a Go template' },
  }),
  args: { min: 1, max: 1 },
  run: async (ctx: CliContext, { format = '', ...flags }, [name = '']) => {
    const asText = format === '';
    const sections = chosenSections(flags, asText);
    const report = await inspectCheckpoint(await ctx.engine(), name, sections);
    ctx.print(
      asText
        ? reportAsText(report, sections)
        : renderOne(format, reportAsJson(report, sections), { name: 'inspect' }),
    );
    return 0;
  },
});
