import { isatty } from 'node:tty';
import { loadImages } from '../../engine/image/load.ts';
import { fail } from '../../model/errors.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

const [STDIN, STDERR] = [0, 2];

export const command = defineCommand({
  usage: '[options]',
  long: 'Loads images from an archive that save made, here or elsewhere (docker-archive or oci-archive, compressed or not).',
  examples: ['load -i app.tar', 'load < app.tar.zst'],
  flags: defineFlags({
    input: { short: 'i', type: 'string', value: 'FILE', help: 'Read this file instead of stdin' },
    quiet: { short: 'q', type: 'bool', help: 'Say nothing while working' },
  }),
  args: { max: 0 },
  run: async (ctx: CliContext, { input, quiet }) => {
    if (input === undefined && isatty(STDIN)) {
      fail('USAGE', {
        message: 'cannot read from terminal, use command-line redirection or the --input flag',
      });
    }
    const source = input === undefined ? { fd: STDIN } : { path: input };
    const images = await loadImages(await ctx.engine(), source, { output: quiet ? undefined : STDERR });
    for (const { id, names } of images) {
      for (const name of names.length === 0 ? [`sha256:${id}`] : names) ctx.print(`Loaded image: ${name}\n`);
    }
    return 0;
  },
});
