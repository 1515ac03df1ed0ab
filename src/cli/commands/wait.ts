import { selectContainers } from '../../engine/select.ts';
import { type WaitCondition, waitContainer } from '../../engine/wait.ts';
import { fail } from '../../model/errors.ts';
import type { CliContext } from '../context.ts';
import { forEachName } from '../each.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';
import { parseDuration } from '../render/human.ts';

const CONDITIONS: readonly string[] = ['stopped', 'exited', 'running', 'paused', 'created'];

const isCondition = (text: string): text is WaitCondition => CONDITIONS.includes(text);

export const command = defineCommand({
  usage: '[options] CONTAINER [CONTAINER...]',
  flags: defineFlags({
    condition: { type: 'string', value: 'STATE', default: 'stopped', help: 'State to wait for' },
    ignore: { type: 'bool', help: 'Containers that do not exist are no error' },
    interval: { short: 'i', type: 'string', value: 'TIME', default: '20ms', help: 'Time between two looks' },
    latest: { short: 'l', type: 'bool', help: 'The container made last' },
  }),
  run: async (ctx: CliContext, { condition, interval, latest }, names) => {
    if (!isCondition(condition)) fail('USAGE', { message: `invalid condition "${condition}"` });
    const engine = await ctx.engine();
    const selected = selectContainers(engine, { names, all: false, latest }, () => true);
    return forEachName(ctx, selected, async (name) =>
      String(await waitContainer(engine, name, condition, parseDuration(interval) * 1000)),
    );
  },
});
