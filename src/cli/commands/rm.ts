import { removeContainer } from '../../engine/remove.ts';
import { dependOnEachOther, selectContainers } from '../../engine/select.ts';
import { isCryopodError } from '../../model/errors.ts';
import type { CliContext } from '../context.ts';
import { forEachName } from '../each.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

export const command = defineCommand({
  usage: '[options] CONTAINER [CONTAINER...]',
  flags: defineFlags({
    all: { short: 'a', type: 'bool', help: 'All containers' },
    force: { short: 'f', type: 'bool', help: 'Stop running ones first' },
    ignore: { short: 'i', type: 'bool', help: 'Containers that do not exist are no error' },
    latest: { short: 'l', type: 'bool', help: 'The container made last' },
    time: {
      short: 't',
      type: 'uint',
      value: 'SECONDS',
      help: 'Time between the stop signal and KILL, with --force',
    },
    volumes: { short: 'v', type: 'bool', help: 'Remove anonymous volumes too' },
  }),
  run: async (ctx: CliContext, { all, latest, force, ignore, time, volumes }, names) => {
    const engine = await ctx.engine();
    const chosen = selectContainers(engine, { names, all, latest }, () => true);
    // One whose namespaces others join goes after them, which were made later.
    const selected = all && dependOnEachOther(engine, chosen) ? chosen.toReversed() : chosen;
    return forEachName(
      ctx,
      selected,
      async (name) => {
        try {
          await removeContainer(engine, name, { force, volumes, history: force, timeout: time });
          return name;
        } catch (error) {
          // podman agrees that nothing is wrong when --force finds nothing to remove.
          if ((ignore || force) && isCryopodError(error, 'NO_SUCH_CONTAINER')) return undefined;
          throw error;
        }
      },
      { NO_SUCH_CONTAINER: 1 },
    );
  },
});
