import { killContainer } from '../../engine/kill.ts';
import { selectContainers } from '../../engine/select.ts';
import { parseSignal } from '../../model/signals.ts';
import type { CliContext } from '../context.ts';
import { forEachName } from '../each.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

export const command = defineCommand({
  usage: '[options] CONTAINER [CONTAINER...]',
  flags: defineFlags({
    all: { short: 'a', type: 'bool', help: 'All running containers' },
    latest: { short: 'l', type: 'bool', help: 'The container made last' },
    signal: { short: 's', type: 'string', value: 'SIGNAL', default: 'KILL', help: 'Signal to send' },
  }),
  run: async (ctx: CliContext, { all, latest, signal }, names) => {
    const number = parseSignal(signal);
    const engine = await ctx.engine();
    const selected = selectContainers(
      engine,
      { names, all, latest },
      ({ state }) => state.status === 'running',
    );
    return forEachName(ctx, selected, async (name) => {
      await killContainer(engine, name, number);
      return name;
    });
  },
});
