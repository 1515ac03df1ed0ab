import type { Container, ContainerState } from '../../model/container.ts';
import { createNamespace } from '../../network/namespace.ts';
import { netnsPath } from '../../system/store-paths.ts';
import type { EngineContext } from '../context.ts';

/** The part of a container's record that says what network it holds. */
export type NetworkHoldings = Pick<ContainerState, 'netns' | 'networks' | 'networkHeld' | 'ports'>;

export interface AttachOptions {
  /** Packets are dropped until releaseNetwork: from the moment that the link is there (for a restore). */
  readonly hold: boolean;
  readonly ignoreStaticIp?: boolean | undefined;
  readonly ignoreStaticMac?: boolean | undefined;
}

export async function attachNetwork(
  ctx: EngineContext,
  { config }: Container,
  _options: AttachOptions,
): Promise<NetworkHoldings> {
  const { mode } = config.network;
  if (mode !== 'bridge' && mode !== 'none')
    return { netns: undefined, networks: {}, networkHeld: false, ports: undefined };
  const netns = netnsPath(ctx.store, config.id);
  await createNamespace(netns);
  return { netns, networks: {}, networkHeld: false, ports: undefined };
}
