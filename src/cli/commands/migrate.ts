import type { EngineContext } from '../../engine/context.ts';
import { containerExists } from '../../engine/exists.ts';
import type { MigrateOptions } from '../../engine/migrate/types.ts';
import { migrateContainer, migratePreflight } from '../../engine/migrate.ts';
import { requireAll } from '../../engine/select.ts';
import { settleMove } from '../../engine/settle-move.ts';
import { fail } from '../../model/errors.ts';
import { PATIENCE } from '../../wire/life.ts';
import { printFindingsOf } from '../container/findings.ts';
import { JOBS_FLAG, passThrough } from '../container/jobs.ts';
import { readMigrateFlags } from '../container/migrate-flags.ts';
import { eventsOf, reportMove, reportSettled } from '../container/move-report.ts';
import { requireRoot } from '../container/require-root.ts';
import type { CliContext } from '../context.ts';
import { forEachName } from '../each.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

/** The last word is the host; with --via it may be left out, and then it is a container. */
function splitTarget(
  engine: EngineContext,
  words: readonly string[],
  via: string | undefined,
): { readonly names: readonly string[]; readonly host: string | undefined } {
  const last = words.at(-1) ?? '';
  if (via !== undefined && (words.length === 1 || containerExists(engine, last))) {
    return { names: words, host: undefined };
  }
  if (words.length < 2) {
    fail('USAGE', {
      message: 'cryopod migrate needs containers and a host',
      hint: 'cryopod migrate CONTAINER... [user@]host',
    });
  }
  return { names: words.slice(0, -1), host: last };
}

export const command = defineCommand({
  usage: '[options] CONTAINER [CONTAINER...] [user@]HOST',
  long: 'Moves running containers to another host, over ssh: memory, files and volumes. A container is removed here once it runs there, and goes on here when anything fails before. docs/migration.md tells which mode to choose.',
  examples: [
    'migrate db root@other',
    'migrate --dry-run db root@other',
    'migrate --mode post-copy --tcp-established db root@other',
    'migrate --bwlimit 50m --compress zstd web db root@other',
    "migrate --via 'ssh -p 2222 -i key' db root@other",
    'migrate --settle db',
  ],
  flags: defineFlags({
    bwlimit: { type: 'string', value: 'RATE', help: 'Bytes a second at most, such as 50m' },
    compress: {
      type: 'string',
      value: 'auto|none|zstd',
      default: 'auto',
      help: 'On the way; auto measures the link and what memory compresses to',
    },
    dryRun: { type: 'bool', help: 'Say what both hosts think of it, and do nothing' },
    fileLocks: { type: 'bool', help: 'Allow file locks' },
    format: {
      type: 'string',
      value: 'FORMAT',
      help: 'json: events and results as lines of JSON; of --dry-run also a Go template',
    },
    here: { type: 'bool', help: 'Of --settle: it counts here, the other host is not asked' },
    ignoreCpu: { type: 'bool', help: 'Migrate although the CPU there lacks features' },
    jobs: JOBS_FLAG,
    keepSource: { type: 'bool', help: 'Keep the container here, stopped' },
    maxRounds: { type: 'uint', value: 'N', default: 8, help: 'Of pre-copy: rounds before the freeze' },
    mode: {
      type: 'string',
      value: 'auto|cold|pre-copy|post-copy',
      default: 'auto',
      help: 'How memory moves: at rest, in rounds while it runs, or after it runs there',
    },
    name: { short: 'n', type: 'string', value: 'NAME', help: 'Its name there' },
    settle: { type: 'bool', help: 'Ask the other host about containers that are in doubt' },
    tcpEstablished: { type: 'bool', help: 'Keep established TCP connections' },
    timeout: {
      type: 'uint',
      value: 'SECONDS',
      default: PATIENCE,
      help: 'Without a sign of life of the other host after which the link counts as broken',
    },
    via: { type: 'string', value: 'COMMAND', help: 'Instead of ssh: a command that leads to the other host' },
  }),
  args: { min: 1 },
  run: async (ctx: CliContext, { settle, here, dryRun, format, jobs, ...flags }, words) => {
    const isJson = format === 'json';
    if (format !== undefined && !isJson && !dryRun) {
      fail('USAGE', { message: `invalid --format "${format}": must be json, or a template with --dry-run` });
    }
    if (here && !settle) fail('USAGE', { message: '--here can only be used with --settle' });
    const choice = readMigrateFlags(flags);
    requireRoot('migrating a container');
    const opened = await ctx.engine();
    const engine = isJson ? { ...opened, progress: eventsOf(ctx) } : opened;
    if (settle) {
      requireAll(engine, words);
      return await forEachName(ctx, words, async (name) =>
        reportSettled(await settleMove(engine, name, { here }), { json: isJson }),
      );
    }
    const { names, host } = splitTarget(engine, words, flags.via);
    requireAll(engine, names);
    if (flags.name !== undefined && names.length > 1) {
      fail('USAGE', { message: '--name can only be used with one container' });
    }
    const options: MigrateOptions = { ...choice, host };
    if (dryRun) {
      const found = [];
      for (const name of names) found.push(...(await migratePreflight(engine, name, options)));
      return printFindingsOf(ctx, found, { verb: 'migrated', format });
    }
    const pass = passThrough(engine, names, { jobs, verb: 'freeze' });
    const move = async (name: string): Promise<string> =>
      reportMove(await migrateContainer(engine, name, options), { json: isJson });
    return await forEachName(ctx, names, move, {}, pass);
  },
});
