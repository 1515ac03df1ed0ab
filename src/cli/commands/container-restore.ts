import type { EngineContext } from '../../engine/context.ts';
import { containerExists } from '../../engine/exists.ts';
import { importContainer, importPreflight } from '../../engine/import.ts';
import { restorePreflight } from '../../engine/preflight/restore.ts';
import { type RestoreResult, restoreContainer } from '../../engine/restore.ts';
import { requireAll, selectContainers } from '../../engine/select.ts';
import { fail } from '../../model/errors.ts';
import { printFindings, refuseFormatAlone } from '../container/findings.ts';
import { readImportFlags } from '../container/import-flags.ts';
import { requireRoot } from '../container/require-root.ts';
import { restoreStatistics } from '../container/statistics.ts';
import type { CliContext } from '../context.ts';
import { forEachName } from '../each.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

/** Nothing is restored unless all containers exist. Errors: NO_SUCH_CONTAINER in podman's words. */
function requireContainers(engine: EngineContext, names: readonly string[]): void {
  if (names.length > 0 && !names.some((name) => containerExists(engine, name))) {
    fail('NO_SUCH_CONTAINER', { message: `no such container or image: ${names[0]}` });
  }
  requireAll(engine, names);
}

export const command = defineCommand({
  usage: '[options] [CONTAINER...]',
  long: 'Let the processes of one or more containers go on from their checkpoint.',
  examples: [
    'container restore db',
    'container restore --keep db',
    'container restore --all',
    'container restore --import db.tar.zst',
    'container restore --import db.tar.zst --name copy --publish 8081:80',
    'container restore --dry-run --import db.tar.zst',
  ],
  flags: defineFlags({
    all: { short: 'a', type: 'bool', help: 'All checkpointed containers' },
    dryRun: { type: 'bool', help: 'Say whether it would work and what to change, and do nothing' },
    fileLocks: { type: 'bool', help: 'Restore file locks' },
    format: { type: 'string', value: 'FORMAT', help: 'Of --dry-run: json or a Go template' },
    ignoreCpu: { type: 'bool', help: 'Of --import: restore although this CPU lacks features' },
    ignoreRootfs: { type: 'bool', help: 'Of --import: leave out changes of the root file system' },
    ignoreStaticIp: { type: 'bool', help: 'Take a new address instead of the static one' },
    ignoreStaticMac: { type: 'bool', help: 'Take a new MAC address instead of the static one' },
    ignoreVolumes: { type: 'bool', help: 'Of --import: leave out the content of volumes' },
    import: {
      short: 'i',
      type: 'string',
      value: 'FILE',
      help: 'Restore from an archive; - is standard input',
    },
    keep: { short: 'k', type: 'bool', help: "Keep the checkpoint and CRIU's logs" },
    latest: { short: 'l', type: 'bool', help: 'The container made last' },
    name: {
      short: 'n',
      type: 'string',
      value: 'NAME',
      help: 'Of --import: give the container another name and ID',
    },
    printStats: { type: 'bool', help: 'Print figures as JSON' },
    publish: { short: 'p', type: 'list', value: 'PORTS', help: 'Of --import: publish these ports instead' },
    tcpClose: { type: 'bool', help: 'Restore established TCP connections as closed' },
    tcpEstablished: { type: 'bool', help: 'Restore established TCP connections' },
    trust: { type: 'bool', help: 'Of --import: grant what the archive asks for of this host' },
  }),
  run: async (ctx: CliContext, { all, latest, printStats, dryRun, format, ...flags }, names) => {
    refuseFormatAlone(dryRun, format);
    const { archive, ...options } = readImportFlags({ ...flags, all, latest, names });
    requireRoot('restoring a container');
    const engine = await ctx.engine();
    if ((all || latest) && names.length > 0) {
      fail('USAGE', { message: '--all or --latest and containers cannot be used together' });
    }
    if (archive !== undefined) {
      const request = { ...options, ...archive };
      const input = flags.import ?? '';
      if (dryRun) {
        const look = async () => ({ input, findings: await importPreflight(engine, request) });
        return await printFindings(ctx, [input], look, { verb: 'restored', format });
      }
      const result = await importContainer(engine, request);
      ctx.print(printStats ? restoreStatistics([result]) : `${result.id}\n`);
      return 0;
    }
    requireContainers(engine, names);
    const selected = selectContainers(engine, { names, all, latest }, ({ state }) => state.checkpointed);
    if (dryRun) {
      const look = (name: string) => restorePreflight(engine, name, options);
      return await printFindings(ctx, selected, look, { verb: 'restored', format });
    }
    const results: RestoreResult[] = [];
    const exit = await forEachName(ctx, selected, async (name) => {
      results.push(await restoreContainer(engine, name, options));
      return printStats ? undefined : name;
    });
    if (printStats) ctx.print(restoreStatistics(results));
    return exit;
  },
});
