import { exportCheckpoint } from '../../engine/history/export.ts';
import { findReference } from '../../engine/history/find.ts';
import { fail } from '../../model/errors.ts';
import { readExportFlags } from '../container/export-flags.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

export const command = defineCommand({
  usage: '[options] CONTAINER@NAME',
  long: 'Writes a named checkpoint into an archive, as `container checkpoint --export` writes it: cryopod and podman restore it anywhere. The container is not touched.',
  examples: ['checkpoint export db@before-upgrade -o db.tar.zst'],
  flags: defineFlags({
    compress: { short: 'c', type: 'string', value: 'KIND', help: 'zstd (default), gzip or none' },
    output: { short: 'o', type: 'string', value: 'FILE', help: 'The archive; - is stdout' },
  }),
  args: { min: 1, max: 1 },
  run: async (ctx: CliContext, { compress, output }, [name = '']) => {
    const flags = { export: output, compress, ignoreRootfs: false, ignoreVolumes: false, withImage: false };
    const archive = readExportFlags(flags);
    if (archive === undefined)
      return fail('USAGE', { message: 'say where to write the archive: --output FILE' });
    const engine = await ctx.engine();
    await exportCheckpoint(engine, findReference(engine, name), archive);
    if ('path' in archive.target) ctx.print(`${name}\n`);
    return 0;
  },
});
