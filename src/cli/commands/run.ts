import { createContainer } from '../../engine/create.ts';
import { runInForeground } from '../../engine/foreground.ts';
import { findCheckpointImage } from '../../engine/image/checkpoint-archive.ts';
import { uninterrupted } from '../../engine/interruption.ts';
import { removeContainer } from '../../engine/remove.ts';
import { startContainer } from '../../engine/start.ts';
import { removeMadeVolumes } from '../../engine/volume/remove-anonymous.ts';
import { CREATE_FLAGS } from '../container/create-flags.ts';
import { createOptions, createRequest } from '../container/create-request.ts';
import { proxySignals } from '../container/proxy-signals.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

export const command = defineCommand({
  usage: '[options] IMAGE [COMMAND [ARG...]]',
  examples: ['run -d --name web -p 8080:80 nginx', 'run -it --rm debian bash'],
  flags: defineFlags({
    ...CREATE_FLAGS,
    detach: { short: 'd', type: 'bool', help: 'Run in the background and print the container ID' },
    detachKeys: { type: 'string', value: 'KEYS', help: 'Keys that detach (default ctrl-p,ctrl-q)' },
    sigProxy: { type: 'bool', default: true, help: 'Pass signals on to the container' },
  }),
  interspersed: false,
  args: { min: 1 },
  run: async (ctx: CliContext, flags, args) => {
    const engine = await ctx.engine();
    const archive = await findCheckpointImage(engine, args[0] ?? '');
    if (archive !== undefined) {
      const { runFromCheckpoint } = await import('../container/run-from-checkpoint.ts');
      return await runFromCheckpoint(ctx, engine, archive, flags);
    }
    const made: string[] = [];
    const container = await createContainer(engine, createRequest(flags, args, ctx.argv), {
      ...createOptions(flags),
      onVolumeMade: (name) => made.push(name),
    });
    const { id } = container.config;
    let isStarted = false;
    try {
      if (flags.detach) {
        await startContainer(engine, id);
        ctx.print(`${id}\n`);
        return 0;
      }
      const exit = await runInForeground(engine, id, {
        stdin: flags.interactive,
        detachKeys: flags.detachKeys,
        onStarted: (started) => {
          isStarted = true;
          if (flags.sigProxy && !flags.tty) proxySignals(ctx, engine, started);
        },
      });
      return exit ?? 0;
    } catch (error) {
      const isUndone = ctx.signal.aborted && !isStarted;
      if (flags.rm || isUndone) {
        await removeContainer(uninterrupted(engine), id, { force: true, volumes: true });
      }
      if (isUndone) await removeMadeVolumes(uninterrupted(engine), made);
      throw error;
    }
  },
});
