import type { Container } from '../../model/container.ts';
import { removeNamespace } from '../../network/namespace.ts';
import { netnsPath } from '../../system/store-paths.ts';
import type { EngineContext } from '../context.ts';

/** Takes a container off its networks and gives back addresses, ports and namespace. Idempotent. */
export async function detachNetwork(ctx: EngineContext, { config }: Container): Promise<void> {
  await removeNamespace(netnsPath(ctx.store, config.id));
}
