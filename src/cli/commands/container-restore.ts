import type { EngineContext } from '../../engine/context.ts';
import { containerExists } from '../../engine/exists.ts';
import { checkpointImageArchive } from '../../engine/image/checkpoint-archive.ts';
import { importContainer, importPreflight } from '../../engine/import.ts';
import { restorePreflight } from '../../engine/preflight/restore.ts';
import { type RestoreResult, restoreContainer } from '../../engine/restore.ts';
import { requireAll, selectContainers } from '../../engine/select.ts';
import { fail } from '../../model/errors.ts';
import { printFindings, refuseFormatAlone } from '../container/findings.ts';
import { readImportFlags, refuseWithoutArchive } from '../container/import-flags.ts';
import { inOrder, JOBS_FLAG, passThrough } from '../container/jobs.ts';
import { lookAtNamed, namedCheckpoints, restoreNamed } from '../container/named-checkpoint.ts';
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

/** Archives of the checkpoint images among the names; a container beats an image of the same name. */
async function checkpointImages(
  engine: EngineContext,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const archives = new Map<string, string>();
  for (const name of names) {
    if (containerExists(engine, name)) continue;
    const path = await checkpointImageArchive(engine, name);
    if (path !== undefined) archives.set(name, path);
  }
  return archives;
}

export const command = defineCommand({
  usage: '[options] [CONTAINER[@NAME]...]',
  long: 'Let the processes of one or more containers go on from their checkpoint; with CONTAINER@NAME, from that of the history, with its files and volumes.',
  examples: [
    'container restore db',
    'container restore --keep db',
    'container restore db@before-upgrade',
    'container restore db@before-upgrade --name trial --publish 8081:80',
    'container restore --all',
    'container restore --lazy db',
    'container restore --import db.tar.zst',
    'container restore --import db.tar.zst --name copy --publish 8081:80',
    'container restore --import-previous pre.tar.zst --import db.tar.zst',
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
    ignoreVolumes: { type: 'bool', help: 'Of --import and CONTAINER@NAME: leave out the content of volumes' },
    import: {
      short: 'i',
      type: 'string',
      value: 'FILE',
      help: 'Restore from an archive; - is standard input',
    },
    importPrevious: {
      type: 'string',
      value: 'FILE',
      help: 'Of --import: the archive of its pre-checkpoint; - is standard input',
    },
    jobs: JOBS_FLAG,
    keep: { short: 'k', type: 'bool', help: "Keep the checkpoint and CRIU's logs" },
    latest: { short: 'l', type: 'bool', help: 'The container made last' },
    lazy: { type: 'bool', help: 'Let the processes run at once; their memory follows' },
    name: {
      short: 'n',
      type: 'string',
      value: 'NAME',
      help: 'Of --import and CONTAINER@NAME: make another container of this name',
    },
    printStats: { type: 'bool', help: 'Print figures as JSON' },
    publish: { short: 'p', type: 'list', value: 'PORTS', help: 'Of --import: publish these ports instead' },
    tcpClose: { type: 'bool', help: 'Restore established TCP connections as closed' },
    tcpEstablished: { type: 'bool', help: 'Restore established TCP connections' },
    trust: { type: 'bool', help: 'Of --import: grant what the archive asks for of this host' },
  }),
  run: async (ctx: CliContext, { all, latest, printStats, dryRun, format, jobs, ...flags }, names) => {
    refuseFormatAlone(dryRun, format);
    const { archive, options } = readImportFlags({ ...flags, all, latest, names });
    requireRoot('restoring a container');
    const engine = await ctx.engine();
    if ((all || latest) && names.length > 0) {
      fail('USAGE', { message: '--all or --latest and containers cannot be used together' });
    }
    if (archive.source !== undefined) {
      const request = { ...options, ...archive, source: archive.source };
      const input = flags.import ?? '';
      if (dryRun) {
        const look = async () => ({ input, findings: await importPreflight(engine, request) });
        return await printFindings(ctx, [input], look, { verb: 'restored', format });
      }
      const result = await importContainer(engine, request);
      ctx.print(printStats ? restoreStatistics([result]) : `${result.id}\n`);
      return 0;
    }
    const references = namedCheckpoints(engine, names, flags);
    const images = await checkpointImages(
      engine,
      names.filter((name) => !references.has(name)),
    );
    if (images.size === 0 && references.size === 0) refuseWithoutArchive(flags);
    else if (flags.name !== undefined && names.length > 1) {
      fail('USAGE', { message: '--name can only be used with one checkpoint image' });
    }
    requireContainers(
      engine,
      names.filter((name) => !images.has(name) && !references.has(name)),
    );
    const selected =
      images.size > 0 || references.size > 0
        ? names
        : selectContainers(engine, { names, all, latest }, ({ state }) => state.checkpointed);
    const request = (name: string) => {
      const path = images.get(name);
      return path === undefined ? undefined : { ...options, ...archive, source: { path } };
    };
    if (dryRun) {
      const look = async (name: string) => {
        const reference = references.get(name);
        if (reference !== undefined)
          return { input: name, findings: await lookAtNamed(engine, reference, { ...options, ...archive }) };
        const fromImage = request(name);
        if (fromImage === undefined) return await restorePreflight(engine, name, options);
        return { input: name, findings: await importPreflight(engine, fromImage) };
      };
      return await printFindings(ctx, selected, look, { verb: 'restored', format });
    }
    const results = new Map<string, RestoreResult>();
    const goOn = async (name: string): Promise<string | undefined> => {
      const fromImage = request(name);
      const reference = references.get(name);
      const result =
        reference !== undefined
          ? await restoreNamed(engine, reference, { ...options, ...archive })
          : fromImage === undefined
            ? await restoreContainer(engine, name, options)
            : { ...(await importContainer(engine, fromImage)), input: name };
      results.set(name, result);
      if (printStats) return undefined;
      return fromImage === undefined && flags.name === undefined ? name : result.id;
    };
    const pass = passThrough(engine, selected, { jobs, verb: 'thaw' });
    const exit = await forEachName(ctx, selected, goOn, {}, pass);
    if (printStats) ctx.print(restoreStatistics(inOrder(selected, results)));
    return exit;
  },
});
