import { createVolume } from '../../engine/volume/create.ts';
import type { CliContext } from '../context.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';
import { parseLabels } from '../parse/options/environment.ts';

export const command = defineCommand({
  usage: '[options] [NAME]',
  examples: ['volume create', 'volume create --label app=db data'],
  flags: defineFlags({
    driver: { short: 'd', type: 'string', value: 'NAME', default: 'local', help: 'Volume driver' },
    gid: { type: 'uint', value: 'GID', help: 'Group that owns the volume' },
    ignore: { type: 'bool', help: 'A volume that exists already is no error' },
    label: { short: 'l', type: 'list', value: 'KEY=VALUE', help: 'Set metadata' },
    opt: {
      short: 'o',
      type: 'list',
      value: 'KEY=VALUE',
      help: 'Driver options: copy, nocopy, o=uid=N,gid=N',
    },
    uid: { type: 'uint', value: 'UID', help: 'User who owns the volume' },
  }),
  args: { max: 1 },
  run: async (ctx: CliContext, { driver, gid, ignore, label, opt, uid }, [name]) => {
    const request = { name, driver, labels: parseLabels(label), options: parseLabels(opt), ignore, uid, gid };
    ctx.print(`${await createVolume(await ctx.engine(), request)}\n`);
    return 0;
  },
});
