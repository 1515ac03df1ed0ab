import { info } from '../../engine/info.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';
import { goFields } from '../render/go-fields.ts';
import { renderOne } from '../render/template.ts';
import { toYaml } from '../render/yaml.ts';

export const command = defineCommand({
  usage: '[options]',
  long: 'Shows the host, the store, and the programs that cryopod works with.',
  examples: ['info', 'info --format "{{.Host.OCIRuntime.Version}}"'],
  flags: defineFlags({
    format: { short: 'f', type: 'string', value: 'FORMAT', help: 'json or a Go template' },
  }),
  args: { max: 0 },
  run: async (ctx: CliContext, { format }) => {
    const report = await info(await ctx.engine());
    ctx.print(
      format === undefined || format === ''
        ? toYaml(report)
        : renderOne(format, goFields(report), { name: 'info' }),
    );
    return 0;
  },
});
