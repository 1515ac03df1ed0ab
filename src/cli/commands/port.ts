import { latestContainer } from '../../engine/latest.ts';
import { allPorts, type ContainerPorts, containerPorts, findPorts } from '../../engine/port.ts';
import { fail } from '../../model/errors.ts';
import { shortId } from '../../model/ids.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

const lines = ({ ports }: ContainerPorts): string[] =>
  ports.map(
    ({ containerPort, protocol, hostIp, hostPort }) =>
      `${containerPort}/${protocol} -> ${hostIp}:${hostPort}\n`,
  );

export const command = defineCommand({
  usage: '[options] CONTAINER [PORT[/PROTOCOL]]',
  long: 'Shows where the ports of a running container are published on the host.',
  examples: ['port web', 'port web 80/tcp', 'port --all'],
  flags: defineFlags({
    all: { short: 'a', type: 'bool', help: 'All running containers' },
    latest: { short: 'l', type: 'bool', help: 'The container made last' },
  }),
  args: { max: 2 },
  run: async (ctx: CliContext, { all, latest }, args) => {
    if (all && latest) fail('USAGE', { message: '--all and --latest cannot be used together' });
    if (all && args.length > 0) fail('USAGE', { message: 'no arguments are needed with --all' });
    if (args.length === 0 && !latest && !all) {
      fail('USAGE', { message: 'you must supply a running container name or id' });
    }
    const engine = await ctx.engine();
    if (all) {
      for (const container of allPorts(engine)) {
        for (const line of lines(container)) ctx.print(`${shortId(container.id)}\t${line}`);
      }
      return 0;
    }
    const [name = '', wanted] = latest ? [latestContainer(engine), ...args] : args;
    const container = containerPorts(engine, name);
    if (wanted === undefined) for (const line of lines(container)) ctx.print(line);
    else
      for (const { hostIp, hostPort } of findPorts(container.ports, wanted))
        ctx.print(`${hostIp}:${hostPort}\n`);
    return 0;
  },
});
