import { type CheckpointResult, checkpointContainer } from '../../engine/checkpoint.ts';
import { checkpointToImage } from '../../engine/checkpoint-image.ts';
import { exportContainer } from '../../engine/export.ts';
import { exportPreCheckpoint } from '../../engine/export-pre-checkpoint.ts';
import { tagCheckpoint } from '../../engine/history/tag.ts';
import { preCheckpointContainer } from '../../engine/pre-checkpoint.ts';
import { checkpointPreflight } from '../../engine/preflight/checkpoint.ts';
import { requireAll, selectContainers } from '../../engine/select.ts';
import { fail } from '../../model/errors.ts';
import { readExportFlags, refuseWithPreCheckpoint } from '../container/export-flags.ts';
import { printFindings, refuseFormatAlone } from '../container/findings.ts';
import { inOrder, JOBS_FLAG, passThrough } from '../container/jobs.ts';
import { requireRoot } from '../container/require-root.ts';
import { checkpointStatistics } from '../container/statistics.ts';
import type { CliContext } from '../context.ts';
import { forEachName } from '../each.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

/** A tag names a checkpoint that stays here; checkpoint export makes an archive of it. */
function refuseWithTag(others: Readonly<Record<string, string | boolean | undefined>>): void {
  const [flag] = Object.entries(others).find(([, value]) => value !== undefined && value !== false) ?? [];
  if (flag === undefined) return;
  fail('USAGE', {
    message: `--tag cannot be used with ${flag}`,
    hint:
      flag.includes('previous') || flag.includes('pre-')
        ? 'Named checkpoints hold only what has changed by themselves.'
        : 'Make an archive of the named checkpoint later: cryopod checkpoint export CONTAINER@NAME -o FILE',
  });
}

export const command = defineCommand({
  usage: '[options] CONTAINER [CONTAINER...]',
  long: 'Freeze all processes of one or more containers to disk. A later restore lets them go on from there.',
  examples: [
    'container checkpoint db',
    'container checkpoint --leave-running --keep db',
    'container checkpoint --leave-running --tag before-upgrade db',
    'container checkpoint --all --jobs 4',
    'container checkpoint --export db.tar.zst db',
    'container checkpoint --pre-checkpoint db && cryopod container checkpoint --with-previous db',
    'container checkpoint --export - db | ssh host cryopod container restore --import -',
  ],
  flags: defineFlags({
    all: { short: 'a', type: 'bool', help: 'All running containers' },
    compress: {
      short: 'c',
      type: 'string',
      value: 'KIND',
      help: 'Of --export: zstd (default), gzip or none',
    },
    createImage: { type: 'string', value: 'NAME', help: 'Make an image of the checkpoint' },
    dryRun: { type: 'bool', help: 'Say whether it would work and what to change, and do nothing' },
    export: {
      short: 'e',
      type: 'string',
      value: 'FILE',
      help: 'Write the checkpoint into an archive; - is stdout',
    },
    fileLocks: { type: 'bool', help: 'Allow file locks' },
    format: { type: 'string', value: 'FORMAT', help: 'Of --dry-run: json or a Go template' },
    ignoreRootfs: { type: 'bool', help: 'Of --export: leave out changes of the root file system' },
    ignoreVolumes: { type: 'bool', help: 'Of --export and --tag: leave out the content of volumes' },
    jobs: JOBS_FLAG,
    keep: { short: 'k', type: 'bool', help: "Keep CRIU's logs and statistics" },
    latest: { short: 'l', type: 'bool', help: 'The container made last' },
    leaveRunning: { short: 'R', type: 'bool', help: 'Let the container go on after the checkpoint' },
    preCheckpoint: {
      short: 'P',
      type: 'bool',
      help: 'Copy memory only, and let the container go on',
    },
    printStats: { type: 'bool', help: 'Print figures as JSON' },
    tag: { type: 'string', value: 'NAME', help: 'Keep it under this name in the history of the container' },
    tcpEstablished: { type: 'bool', help: 'Allow established TCP connections' },
    withImage: { type: 'bool', help: 'Of --export: put the base image into the archive too' },
    withPrevious: { type: 'bool', help: 'Keep only what has changed since the pre-checkpoint' },
  }),
  run: async (
    ctx: CliContext,
    { all, latest, printStats, dryRun, format, createImage, preCheckpoint, tag, jobs, ...options },
    names,
  ) => {
    refuseFormatAlone(dryRun, format);
    if (tag !== undefined)
      refuseWithTag({
        '--export': options.export,
        '--create-image': createImage,
        '--pre-checkpoint': preCheckpoint,
        '--with-previous': options.withPrevious,
      });
    const { ignoreVolumes } = options;
    const archive = readExportFlags(tag === undefined ? options : { ...options, ignoreVolumes: false });
    if (preCheckpoint) refuseWithPreCheckpoint({ ...options, createImage });
    requireRoot('checkpointing a container');
    const engine = await ctx.engine();
    const selected = selectContainers(
      engine,
      { names, all, latest },
      ({ state }) => state.status === 'running',
    );
    // One wrong name, and nothing is frozen.
    requireAll(engine, selected);
    if (archive !== undefined && selected.length > 1) {
      fail('USAGE', { message: 'an archive holds one container: --export takes one' });
    }
    if (dryRun) {
      const look = (name: string) =>
        checkpointPreflight(engine, name, {
          ...options,
          preCheckpoint,
          tag,
          exported: archive !== undefined,
          archived: archive !== undefined || createImage !== undefined,
        });
      return await printFindings(ctx, selected, look, { verb: 'checkpointed', format });
    }
    // The archive has stdout to itself.
    const isPipe = archive !== undefined && 'fd' in archive.target;
    if (isPipe && createImage !== undefined) {
      fail('USAGE', { message: '--create-image cannot be used with --export -' });
    }
    const work = (name: string): Promise<CheckpointResult> => {
      if (preCheckpoint) {
        return archive === undefined
          ? preCheckpointContainer(engine, name, options)
          : exportPreCheckpoint(engine, name, { ...options, ...archive });
      }
      if (createImage !== undefined) {
        const { target, compression = 'zstd' } = archive ?? {};
        const choice = { ...options, compression, exported: archive !== undefined };
        return checkpointToImage(engine, name, { image: createImage, target }, choice);
      }
      if (tag !== undefined) return tagCheckpoint(engine, name, { ...options, tag, ignoreVolumes });
      if (archive === undefined) return checkpointContainer(engine, name, options);
      return exportContainer(engine, name, { ...options, ...archive });
    };
    const results = new Map<string, CheckpointResult>();
    const freeze = async (name: string): Promise<string | undefined> => {
      results.set(name, await work(name));
      return printStats || isPipe ? undefined : name;
    };
    const pass = passThrough(engine, selected, { jobs, verb: 'freeze' });
    const exit = await forEachName(ctx, selected, freeze, {}, pass);
    if (printStats && !isPipe) ctx.print(checkpointStatistics(inOrder(selected, results)));
    return exit;
  },
});
