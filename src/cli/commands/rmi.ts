import { allImageIds, type RemovedImage, removeImage } from '../../engine/image/remove.ts';
import { fail, isCryopodError } from '../../model/errors.ts';
import type { CliContext } from '../context.ts';
import { forEachName } from '../each.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

const report = ({ untagged, deleted }: RemovedImage): string =>
  [
    ...untagged.map((name) => `Untagged: ${name}`),
    ...(deleted === undefined ? [] : [`Deleted: ${deleted}`]),
  ].join('\n');

export const command = defineCommand({
  usage: '[options] IMAGE [IMAGE...]',
  long: 'Takes a name away from an image; with its last name, or given by ID, the image goes as well.',
  examples: ['rmi app:1', 'rmi --force 0e3bbc2', 'rmi --all'],
  flags: defineFlags({
    all: { short: 'a', type: 'bool', help: 'All images' },
    force: { short: 'f', type: 'bool', help: 'Also with several names, and the containers that use it' },
    ignore: { short: 'i', type: 'bool', help: 'Images that do not exist are no error' },
    noPrune: { type: 'bool', hidden: true },
  }),
  run: async (ctx: CliContext, { all, force, ignore }, names) => {
    if (!all && names.length === 0) fail('USAGE', { message: 'image name or ID must be specified' });
    if (all && names.length > 0) {
      fail('USAGE', {
        message: 'when using the --all switch, you may not pass any images names or IDs',
      });
    }
    const engine = await ctx.engine();
    const remove = async (name: string): Promise<string | undefined> => {
      try {
        // With --all an image goes whole, however many names it has.
        return report(await removeImage(engine, name, { force, allNames: all }));
      } catch (error) {
        if ((force || ignore) && isCryopodError(error, 'NO_SUCH_IMAGE')) return undefined;
        throw error;
      }
    };
    return forEachName(ctx, all ? allImageIds(engine) : names, remove, { NO_SUCH_IMAGE: 1 });
  },
});
