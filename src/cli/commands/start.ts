import { runInForeground } from '../../engine/foreground.ts';
import { selectContainers } from '../../engine/select.ts';
import { startContainer } from '../../engine/start.ts';
import { fail } from '../../model/errors.ts';
import { proxySignals } from '../container/proxy-signals.ts';
import type { CliContext } from '../context.ts';
import { forEachName } from '../each.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

export const command = defineCommand({
  usage: '[options] CONTAINER [CONTAINER...]',
  flags: defineFlags({
    all: { type: 'bool', help: 'All containers that do not run' },
    attach: { short: 'a', type: 'bool', help: "Attach the container's output and wait for its end" },
    detachKeys: { type: 'string', value: 'KEYS', help: 'Keys that detach (default ctrl-p,ctrl-q)' },
    interactive: { short: 'i', type: 'bool', help: 'Attach stdin too' },
    latest: { short: 'l', type: 'bool', help: 'The container made last' },
    sigProxy: { type: 'bool', default: true, help: 'Pass signals on when attached' },
  }),
  run: async (ctx: CliContext, { all, latest, attach, interactive, detachKeys, sigProxy }, names) => {
    const engine = await ctx.engine();
    const selected = selectContainers(
      engine,
      { names, all, latest },
      ({ state }) => state.status === 'created' || state.status === 'exited',
    );
    if (!attach) {
      return forEachName(ctx, selected, async (name) => {
        await startContainer(engine, name);
        return name;
      });
    }
    const [only, ...more] = selected;
    if (only === undefined || more.length > 0) {
      return fail('USAGE', {
        message: 'you cannot start and attach multiple containers at once: invalid argument',
      });
    }
    const exit = await runInForeground(engine, only, {
      stdin: interactive,
      detachKeys,
      onStarted: (started) => {
        if (sigProxy && !started.config.tty) proxySignals(ctx, engine, started);
      },
    });
    return exit ?? 0;
  },
});
