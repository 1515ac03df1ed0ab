import type { Container } from '../../model/container.ts';
import type { Network } from '../../model/network.ts';
import { listContainers } from '../../state/containers.ts';
import type { EngineContext } from '../context.ts';

/** The containers, running or not, that belong to a network. */
export const networkUsers = (ctx: EngineContext, { name, id }: Pick<Network, 'name' | 'id'>): Container[] =>
  listContainers(ctx.db).filter(
    ({ config }) =>
      config.network.mode === 'bridge' &&
      config.network.networks.some((attached) => attached.name === name || attached.name === id),
  );
