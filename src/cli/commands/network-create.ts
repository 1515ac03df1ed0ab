import { createNetwork } from '../../engine/network/create.ts';
import { fail } from '../../model/errors.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';
import { parseLabels } from '../parse/options/environment.ts';

export const command = defineCommand({
  usage: '[options] [NAME]',
  examples: [
    'network create',
    'network create --subnet 192.168.33.0/24 --gateway 192.168.33.1 lab',
    'network create -d macvlan -o parent=eth0 --subnet 192.168.1.0/24 --ip-range 192.168.1.192/27 lan',
    'network create -o mode=unmanaged --interface-name br0 --subnet 192.168.1.0/24 lan',
  ],
  flags: defineFlags({
    disableDns: { type: 'bool', help: 'No name server for the containers' },
    driver: {
      short: 'd',
      type: 'string',
      value: 'NAME',
      default: 'bridge',
      help: 'Network driver: bridge or macvlan',
    },
    gateway: { type: 'list', value: 'IP', help: 'Gateway of the subnet' },
    ignore: { type: 'bool', help: 'A network that exists already is no error' },
    interfaceName: {
      type: 'string',
      value: 'NAME',
      help: 'The bridge on the host, or the parent of macvlan links',
    },
    internal: { type: 'bool', help: 'No way out of the network' },
    ipRange: { type: 'list', value: 'RANGE', help: 'Addresses to give out: a CIDR or START-END' },
    ipv6: { type: 'bool', help: 'With an IPv6 subnet' },
    label: { type: 'list', value: 'KEY=VALUE', help: 'Set metadata' },
    opt: {
      short: 'o',
      type: 'list',
      value: 'KEY=VALUE',
      help: 'Driver options: mtu, metric, no_default_route, mode; bridge: isolate; macvlan: parent',
    },
    subnet: { type: 'list', value: 'CIDR', help: 'Subnet' },
  }),
  args: { max: 1 },
  run: async (ctx: CliContext, flags, [name]) => {
    const { subnet, gateway, ipRange } = flags;
    if (subnet.length === 0 && gateway.length + ipRange.length > 0) {
      fail('USAGE', { message: 'cannot set gateway or range without subnet' });
    }
    if (gateway.length > subnet.length) fail('USAGE', { message: 'cannot set more gateways than subnets' });
    if (ipRange.length > subnet.length) fail('USAGE', { message: 'cannot set more ranges than subnets' });
    const { parent, ...options }: { parent?: string } & Record<string, string> = parseLabels(flags.opt);
    if (parent !== undefined && flags.driver !== 'macvlan') {
      fail('USAGE', { message: `unsupported ${flags.driver} network option parent` });
    }
    const request = {
      name,
      driver: flags.driver,
      subnets: subnet,
      gateways: gateway,
      ranges: ipRange,
      internal: flags.internal,
      ipv6: flags.ipv6,
      disableDns: flags.disableDns,
      labels: parseLabels(flags.label),
      options,
      interfaceName: parent ?? flags.interfaceName,
    };
    const network = await createNetwork(await ctx.engine(), request, { ignore: flags.ignore });
    ctx.print(`${network.name}\n`);
    return 0;
  },
});
