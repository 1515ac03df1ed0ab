import { type RestoreResult, restoreContainer } from '../../engine/restore.ts';
import { selectContainers } from '../../engine/select.ts';
import { restoreStatistics } from '../container/statistics.ts';
import type { CliContext } from '../context.ts';
import { forEachName } from '../each.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

export const command = defineCommand({
  usage: '[options] CONTAINER [CONTAINER...]',
  long: 'Let the processes of one or more containers go on from their checkpoint.',
  examples: ['container restore db', 'container restore --keep db', 'container restore --all'],
  flags: defineFlags({
    all: { short: 'a', type: 'bool', help: 'All checkpointed containers' },
    fileLocks: { type: 'bool', help: 'Restore file locks' },
    ignoreStaticIp: { type: 'bool', help: 'Take a new address instead of the static one' },
    ignoreStaticMac: { type: 'bool', help: 'Take a new MAC address instead of the static one' },
    keep: { short: 'k', type: 'bool', help: "Keep the checkpoint and CRIU's logs" },
    latest: { short: 'l', type: 'bool', help: 'The container made last' },
    printStats: { type: 'bool', help: 'Print figures as JSON' },
    tcpClose: { type: 'bool', help: 'Restore established TCP connections as closed' },
    tcpEstablished: { type: 'bool', help: 'Restore established TCP connections' },
  }),
  run: async (ctx: CliContext, { all, latest, printStats, ...options }, names) => {
    const engine = await ctx.engine();
    const selected = selectContainers(engine, { names, all, latest }, ({ state }) => state.checkpointed);
    const results: RestoreResult[] = [];
    const exit = await forEachName(ctx, selected, async (name) => {
      results.push(await restoreContainer(engine, name, options));
      return printStats ? undefined : name;
    });
    if (printStats) ctx.print(restoreStatistics(results));
    return exit;
  },
});
