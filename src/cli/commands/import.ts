import { isatty } from 'node:tty';
import { importImage } from '../../engine/image/import.ts';
import { hostPlatform } from '../../image/platform.ts';
import { fail } from '../../model/errors.ts';
import type { CliContext } from '../context.ts';
import { chosenPlatform } from '../image/registry-flags.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

const STDIN = 0;

export const command = defineCommand({
  usage: '[options] PATH [NAME]',
  long: 'Makes an image of one layer from the archive of a root file system (tar; plain, gzip, zstd, bzip2 or xz). PATH - is stdin.',
  examples: ['import rootfs.tar.zst base:1', 'import -c "CMD [\\"/bin/sh\\"]" - base < rootfs.tar'],
  flags: defineFlags({
    arch: { type: 'string', value: 'ARCH', help: 'Architecture of the image' },
    change: {
      short: 'c',
      type: 'list',
      value: 'INSTRUCTION',
      help: 'CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR as in a Dockerfile',
    },
    message: { short: 'm', type: 'string', value: 'TEXT', help: "Comment in the image's history" },
    os: { type: 'string', value: 'OS', help: 'Operating system of the image' },
    quiet: { short: 'q', type: 'bool', help: 'Say nothing while working' },
    variant: { type: 'string', value: 'VARIANT', help: 'Variant of the architecture' },
  }),
  args: { min: 1, max: 2 },
  run: async (ctx: CliContext, flags, [path = '', name]) => {
    if (path === '-' && isatty(STDIN)) {
      fail('USAGE', { message: 'cannot read from terminal, use command-line redirection or give a path' });
    }
    const image = await importImage(await ctx.engine(), path === '-' ? { fd: STDIN } : { path }, {
      name,
      message: flags.message,
      changes: flags.change,
      platform: chosenPlatform(flags, hostPlatform()),
    });
    ctx.print(`sha256:${image.id}\n`);
    return 0;
  },
});
