import type { EngineContext } from '../../engine/context.ts';
import { inspectImage } from '../../engine/image/inspect.ts';
import { inspectNetwork } from '../../engine/network/inspect.ts';
import { inspectVolume } from '../../engine/volume/report.ts';
import { type ErrorCode, fail, isCryopodError } from '../../model/errors.ts';
import { containerView, namesOrLatest } from '../container/inspect-container.ts';
import { INSPECT_FLAGS } from '../container/inspect-flags.ts';
import type { CliContext } from '../context.ts';
import { printInspected } from '../inspect.ts';
import { networkView } from '../network/view.ts';
import { defineCommand } from '../parse/command.ts';
import { defineFlags } from '../parse/flags.ts';

type Inspect = (engine: EngineContext, name: string, size: boolean) => Promise<object>;

/** What a name may mean, in the order in which it is looked for. */
const KINDS: Readonly<Record<string, Inspect>> = {
  container: containerView,
  image: inspectImage,
  volume: async (engine, name) => inspectVolume(engine, name),
  network: async (engine, name) => networkView(await inspectNetwork(engine, name)),
};

const ABSENT: readonly ErrorCode[] = [
  'NO_SUCH_CONTAINER',
  'NO_SUCH_IMAGE',
  'NO_SUCH_VOLUME',
  'NO_SUCH_NETWORK',
  // A name that no image can have.
  'USAGE',
];

const inspectAny: Inspect = async (engine, name, size) => {
  for (const inspect of Object.values(KINDS)) {
    try {
      return await inspect(engine, name, size);
    } catch (error) {
      if (!ABSENT.some((code) => isCryopodError(error, code))) throw error;
    }
  }
  return fail('NO_SUCH_OBJECT', { message: `no such object: "${name}"` });
};

function inspectorOf(type: string, latest: boolean, size: boolean): Inspect {
  if (type === 'all') return latest ? containerView : inspectAny;
  const inspect = Object.hasOwn(KINDS, type) ? KINDS[type] : undefined;
  if (inspect === undefined) {
    const known = ['image', 'container', 'network', 'volume'].map((kind) => `"${kind}", `).join('');
    return fail('USAGE', { message: `invalid type "${type}": must be ${known}or "all"` });
  }
  if (type !== 'container' && latest)
    fail('USAGE', { message: `latest is not supported for type "${type}"` });
  if (type !== 'container' && size) fail('USAGE', { message: `size is not supported for type "${type}"` });
  return inspect;
}

export const command = defineCommand({
  usage: '[options] CONTAINER|IMAGE|VOLUME|NETWORK [...]',
  long: 'Show all about containers, images, volumes or networks. A container comes before an image of the same name.',
  examples: ['inspect db', "inspect --format '{{.State.Status}}' db", 'inspect --type image db'],
  flags: defineFlags({
    ...INSPECT_FLAGS,
    type: {
      short: 't',
      type: 'string',
      value: 'TYPE',
      default: 'all',
      help: 'container, image, volume, network, all',
    },
  }),
  run: async (ctx: CliContext, { format, latest, size, type }, names) => {
    const inspect = inspectorOf(type, latest, size);
    const engine = await ctx.engine();
    return await printInspected(
      ctx,
      namesOrLatest(engine, names, latest),
      (name) => inspect(engine, name, size),
      format,
    );
  },
});
