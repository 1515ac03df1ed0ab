import { resolve } from 'node:path';
import { isatty } from 'node:tty';
import { saveImages } from '../../engine/image/save.ts';
import { SAVE_FORMATS, type SaveFormat } from '../../image/save.ts';
import { fail } from '../../model/errors.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

const [STDOUT, STDERR] = [1, 2];

function parseFormat(text: string): SaveFormat {
  const format = SAVE_FORMATS.find((known) => known === text);
  return (
    format ??
    fail('USAGE', { message: `invalid image save format "${text}": use ${SAVE_FORMATS.join(', ')}` })
  );
}

export const command = defineCommand({
  usage: '[options] IMAGE [NAME...]',
  long: 'Writes an image as an archive or directory, under its own name and those given behind it.',
  examples: ['save -o app.tar app', 'save -m -o all.tar app db', 'save --format oci-archive app > app.tar'],
  flags: defineFlags({
    compress: { type: 'bool', help: 'Compress the layers (docker-dir only)' },
    format: { type: 'string', default: 'docker-archive', value: 'FORMAT', help: SAVE_FORMATS.join(', ') },
    multiImageArchive: { short: 'm', type: 'bool', help: 'All arguments are images (docker-archive only)' },
    output: { short: 'o', type: 'string', value: 'FILE', help: 'Write to this file instead of stdout' },
    quiet: { short: 'q', type: 'bool', help: 'Say nothing while working' },
  }),
  args: { min: 1 },
  run: async (ctx: CliContext, flags, images) => {
    const format = parseFormat(flags.format);
    if (flags.compress && format !== 'docker-dir') {
      fail('USAGE', { message: "--compress can only be set when --format is 'docker-dir'" });
    }
    if (flags.output === undefined && isatty(STDOUT)) {
      fail('USAGE', { message: 'refusing to save to terminal. Use -o flag or redirect' });
    }
    const request = {
      images,
      several: flags.multiImageArchive,
      format,
      compress: flags.compress,
      account: flags.quiet || flags.output === undefined ? undefined : STDERR,
    };
    const output = flags.output === undefined ? { fd: STDOUT } : { path: resolve(flags.output) };
    await saveImages(await ctx.engine(), request, output);
    return 0;
  },
});
