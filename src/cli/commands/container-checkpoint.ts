import { type CheckpointResult, checkpointContainer } from '../../engine/checkpoint.ts';
import { checkpointPreflight } from '../../engine/preflight/checkpoint.ts';
import { requireAll, selectContainers } from '../../engine/select.ts';
import { printFindings, refuseFormatAlone } from '../container/findings.ts';
import { requireRoot } from '../container/require-root.ts';
import { checkpointStatistics } from '../container/statistics.ts';
import type { CliContext } from '../context.ts';
import { forEachName } from '../each.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

export const command = defineCommand({
  usage: '[options] CONTAINER [CONTAINER...]',
  long: 'Freeze all processes of one or more containers to disk. A later restore lets them go on from there.',
  examples: [
    'container checkpoint db',
    'container checkpoint --leave-running --keep db',
    'container checkpoint --all',
  ],
  flags: defineFlags({
    all: { short: 'a', type: 'bool', help: 'All running containers' },
    dryRun: { type: 'bool', help: 'Say whether it would work and what to change, and do nothing' },
    fileLocks: { type: 'bool', help: 'Allow file locks' },
    format: { type: 'string', value: 'FORMAT', help: 'Of --dry-run: json or a Go template' },
    keep: { short: 'k', type: 'bool', help: "Keep CRIU's logs and statistics" },
    latest: { short: 'l', type: 'bool', help: 'The container made last' },
    leaveRunning: { short: 'R', type: 'bool', help: 'Let the container go on after the checkpoint' },
    printStats: { type: 'bool', help: 'Print figures as JSON' },
    tcpEstablished: { type: 'bool', help: 'Allow established TCP connections' },
  }),
  run: async (ctx: CliContext, { all, latest, printStats, dryRun, format, ...options }, names) => {
    refuseFormatAlone(dryRun, format);
    requireRoot('checkpointing a container');
    const engine = await ctx.engine();
    const selected = selectContainers(
      engine,
      { names, all, latest },
      ({ state }) => state.status === 'running',
    );
    // One wrong name, and nothing is frozen.
    requireAll(engine, selected);
    if (dryRun) {
      const look = (name: string) => checkpointPreflight(engine, name, options);
      return await printFindings(ctx, selected, look, { verb: 'checkpointed', format });
    }
    const results: CheckpointResult[] = [];
    const exit = await forEachName(ctx, selected, async (name) => {
      results.push(await checkpointContainer(engine, name, options));
      return printStats ? undefined : name;
    });
    if (printStats) ctx.print(checkpointStatistics(results));
    return exit;
  },
});
