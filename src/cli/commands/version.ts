import { versionReport } from '../../engine/version.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';
import { alignTabs } from '../render/table.ts';
import { renderOne } from '../render/template.ts';

export const command = defineCommand({
  usage: '[options]',
  examples: ['version', 'version --format "{{.Client.Version}}"'],
  flags: defineFlags({
    format: { short: 'f', type: 'string', value: 'FORMAT', help: 'json or a Go template' },
  }),
  args: { max: 0 },
  run: (ctx: CliContext, { format }) => {
    const report = versionReport();
    const { Version, APIVersion, NodeVersion, OsArch } = report.Client;
    const lines = [
      ['Client:', 'cryopod'],
      ['Version:', Version],
      ['API Version:', APIVersion],
      ['Node Version:', NodeVersion],
      ['OS/Arch:', OsArch],
    ];
    ctx.print(
      format === undefined || format === ''
        ? `${alignTabs(lines.map((cells) => cells.join('\t')).join('\n'))}\n`
        : renderOne(format, report, { name: 'version' }),
    );
    return 0;
  },
});
