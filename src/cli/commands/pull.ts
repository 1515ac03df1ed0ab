import { ensureImage } from '../../engine/image/ensure.ts';
import { pullImage } from '../../engine/image/pull.ts';
import { hostPlatform } from '../../image/platform.ts';
import type { CliContext } from '../context.ts';
import { forEachName } from '../each.ts';
import { chosenPlatform, PLATFORM_FLAGS, REGISTRY_FLAGS, registryAccess } from '../image/registry-flags.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';
import { parsePull } from '../parse/options/process.ts';

export const command = defineCommand({
  usage: '[options] IMAGE [IMAGE...]',
  long: 'Brings images from a registry, or from an archive or directory (docker-archive:, oci-archive:, oci:, dir:).',
  examples: ['pull quay.io/libpod/alpine', 'pull --tls-verify=false localhost:5000/app:1'],
  flags: defineFlags({
    ...REGISTRY_FLAGS,
    ...PLATFORM_FLAGS,
    policy: { type: 'string', default: 'always', value: 'POLICY', help: 'always, missing, never, newer' },
  }),
  args: { min: 1 },
  run: async (ctx: CliContext, flags, names) => {
    const options = { ...registryAccess(flags), platform: chosenPlatform(flags, hostPlatform()) };
    const policy = parsePull(flags.policy);
    const engine = await ctx.engine();
    return forEachName(ctx, names, async (name) => {
      if (policy === 'always' && !flags.quiet) process.stderr.write(`Trying to pull ${name}...\n`);
      const pulled =
        policy === 'always'
          ? await pullImage(engine, name, options)
          : await ensureImage(engine, name, policy, options);
      return pulled.image.id;
    });
  },
});
