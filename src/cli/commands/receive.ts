import { receiveContainer } from '../../engine/receive.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

export const command = defineCommand({
  usage: '[options]',
  long: 'The other side of cryopod migrate, which starts it over ssh: takes in one container from stdin and answers on stdout. As a forced command (command="cryopod receive" in authorized_keys) the key can do nothing else.',
  flags: defineFlags({
    trust: { type: 'bool', help: 'Grant what a container asks for of this host' },
  }),
  args: { max: 0 },
  run: async (ctx: CliContext, { trust }) => {
    const engine = await ctx.engine();
    // Of two signals at the end of a session the second must not end the first one's work.
    const interruption = new AbortController();
    ctx.signal.addEventListener('abort', () => interruption.abort(ctx.signal.reason));
    ctx.takeSignals((name) => interruption.abort(new Error(`interrupted by ${name}`)));
    await receiveContainer({ ...engine, signal: interruption.signal }, { ends: ctx.takeStreams(), trust });
    return 0;
  },
});
