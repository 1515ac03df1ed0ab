import { execInContainer } from '../../engine/exec.ts';
import { latestContainer } from '../../engine/latest.ts';
import { fail } from '../../model/errors.ts';
import { readText } from '../container/read-text.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';
import { parseEnvironment } from '../parse/options/environment.ts';

export const command = defineCommand({
  usage: '[options] CONTAINER COMMAND [ARG...]',
  examples: ['exec -it web sh'],
  flags: defineFlags({
    detach: { short: 'd', type: 'bool', help: 'Run it in the background' },
    env: { short: 'e', type: 'list', value: 'NAME=VALUE', help: 'Set environment variables' },
    envFile: { type: 'list', value: 'FILE', help: 'Read environment variables from a file' },
    interactive: { short: 'i', type: 'bool', help: 'Forward stdin' },
    latest: { short: 'l', type: 'bool', help: 'The container made last' },
    privileged: { type: 'bool', help: 'Give the process nearly all rights of the host' },
    tty: { short: 't', type: 'bool', help: 'Allocate a terminal' },
    user: { short: 'u', type: 'string', value: 'USER[:GROUP]', help: 'User that the command runs as' },
    workdir: { short: 'w', type: 'string', value: 'DIR', help: 'Working directory in the container' },
  }),
  interspersed: false,
  run: async (ctx: CliContext, { latest, env, envFile, ...flags }, args) => {
    const engine = await ctx.engine();
    const [name, ...command] = latest ? [latestContainer(engine), ...args] : args;
    if (name === undefined)
      return fail('USAGE', { message: 'exec requires the name or ID of a container or the --latest flag' });
    if (command.length === 0)
      return fail('USAGE', {
        message: 'must provide a non-empty command to start an exec session: invalid argument',
      });
    // The process in the container is the one to be interrupted; this program waits for it to end.
    const release = ctx.takeSignals(() => undefined);
    try {
      return await execInContainer(engine, name, {
        command,
        env: parseEnvironment(env, envFile.map(readText), process.env),
        ...flags,
      });
    } finally {
      release();
    }
  },
});
