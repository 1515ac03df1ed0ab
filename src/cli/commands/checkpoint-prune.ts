import { listHistory } from '../../engine/history/list.ts';
import { pruneHistory } from '../../engine/history/prune.ts';
import { findContainer } from '../../state/containers.ts';
import { KEEP_FLAGS, readKeepFlags } from '../container/keep-flags.ts';
import type { CliContext } from '../context.ts';
import { forEachName } from '../each.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

export const command = defineCommand({
  usage: '[options] [CONTAINER]',
  long: 'Removes named checkpoints of one container, or of all, but for those that one of the rules keeps. The rules hold for each container by itself.',
  examples: [
    'checkpoint prune db --keep-last 12',
    'checkpoint prune --keep-within 2d --keep-daily 7 --keep-weekly 4 --dry-run',
  ],
  flags: defineFlags({
    ...KEEP_FLAGS,
    dryRun: { type: 'bool', help: 'Say what would be removed, and remove nothing' },
  }),
  args: { max: 1 },
  run: async (ctx: CliContext, { dryRun, ...flags }, [container]) => {
    const retention = readKeepFlags(flags);
    const engine = await ctx.engine();
    const ids = [...new Set(listHistory(engine, container).map((one) => one.container))];
    return await forEachName(ctx, ids, async (id) => {
      const { name } = findContainer(engine.db, id).config;
      await pruneHistory(engine, id, { retention, dryRun }, (gone) => ctx.print(`${name}@${gone.name}\n`));
      return undefined;
    });
  },
});
