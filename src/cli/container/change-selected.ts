import type { EngineContext } from '../../engine/context.ts';
import { selectContainers } from '../../engine/select.ts';
import type { ContainerStatus } from '../../model/container.ts';
import type { CliContext } from '../context.ts';
import { forEachName } from '../each.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

/** A command that does one thing to the containers it names; `--all` means those of one status. */
export const changeSelected = (
  allHelp: string,
  status: ContainerStatus,
  change: (engine: EngineContext, name: string) => Promise<unknown>,
) =>
  defineCommand({
    usage: '[options] CONTAINER [CONTAINER...]',
    flags: defineFlags({
      all: { short: 'a', type: 'bool', help: allHelp },
      latest: { short: 'l', type: 'bool', help: 'The container made last' },
    }),
    run: async (ctx: CliContext, { all, latest }, names) => {
      const engine = await ctx.engine();
      const selected = selectContainers(
        engine,
        { names, all, latest },
        ({ state }) => state.status === status,
      );
      return forEachName(ctx, selected, async (name) => {
        await change(engine, name);
        return name;
      });
    },
  });
