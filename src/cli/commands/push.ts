import { writeFile } from 'node:fs/promises';
import { pushImage } from '../../engine/image/push.ts';
import { fail, messageOf } from '../../model/errors.ts';
import type { CliContext } from '../context.ts';
import { REGISTRY_FLAGS, registryAccess } from '../image/registry-flags.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

function parseFormat(text: string | undefined): 'oci' | 'v2s2' | undefined {
  if (text === undefined || text === 'oci' || text === 'v2s2') return text;
  return fail('USAGE', {
    message: `unknown format "${text}". Choose one of the supported formats: 'oci', 'v2s2'`,
  });
}

async function writeDigest(path: string, digest: string): Promise<void> {
  try {
    await writeFile(path, digest);
  } catch (error) {
    fail('USAGE', { message: `could not write the digest to ${path}: ${messageOf(error)}`, cause: error });
  }
}

export const command = defineCommand({
  usage: '[options] IMAGE [DESTINATION]',
  long: 'Copies an image to a registry, archive or directory; without DESTINATION to the registry of its own name.',
  examples: ['push --tls-verify=false app localhost:5000/app:1', 'push app oci-archive:/tmp/app.tar'],
  flags: defineFlags({
    ...REGISTRY_FLAGS,
    compress: { type: 'bool', help: 'Compress layers (dir: only; registries get them compressed anyway)' },
    digestfile: { type: 'string', value: 'FILE', help: 'Write the digest of the pushed image to this file' },
    format: {
      short: 'f',
      type: 'string',
      value: 'oci|v2s2',
      help: "Manifest type; default: the image's own",
    },
  }),
  args: { min: 1, max: 2 },
  run: async (ctx: CliContext, flags, [image = '', destination]) => {
    const options = {
      ...registryAccess(flags),
      compress: flags.compress,
      format: parseFormat(flags.format),
    };
    const digest = await pushImage(await ctx.engine(), image, destination, options);
    if (flags.digestfile !== undefined) await writeDigest(flags.digestfile, digest);
    return 0;
  },
});
