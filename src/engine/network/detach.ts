import type { Container } from '../../model/container.ts';
import { teardownContainerNetwork } from '../../network/setup.ts';
import type { EngineContext } from '../context.ts';

/** Takes a container off its networks and gives back addresses, ports and namespace. Idempotent. */
export const detachNetwork = (ctx: EngineContext, { config }: Container): Promise<void> =>
  teardownContainerNetwork(ctx.store, config.id);
