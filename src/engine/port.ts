import type { Container } from '../model/container.ts';
import { fail } from '../model/errors.ts';
import type { PortMapping } from '../model/network.ts';
import { findContainer, listContainers } from '../state/containers.ts';
import type { EngineContext } from './context.ts';
import { observe } from './observe.ts';

/** One published port. */
export interface PublishedPort {
  readonly containerPort: number;
  readonly hostPort: number;
  readonly hostIp: string;
  readonly protocol: PortMapping['protocol'];
}

export interface ContainerPorts {
  readonly id: string;
  readonly ports: readonly PublishedPort[];
}

/** The open ports of a container; one that does not run has none. Errors: NO_SUCH_CONTAINER, AMBIGUOUS_ID. */
export const containerPorts = (ctx: EngineContext, nameOrId: string): ContainerPorts =>
  portsOf(ctx, findContainer(ctx.db, nameOrId));

/** The open ports of all containers that have some. */
export const allPorts = (ctx: EngineContext): ContainerPorts[] =>
  listContainers(ctx.db)
    .map((container) => portsOf(ctx, container))
    .filter(({ ports }) => ports.length > 0);

function portsOf(ctx: EngineContext, container: Container): ContainerPorts {
  const { config, state } = observe(ctx, container);
  const mappings = state.status === 'running' ? (state.ports ?? config.network.ports) : [];
  return { id: config.id, ports: mappings.flatMap(single) };
}

/** A range as its ports. */
const single = ({ range, ...first }: PortMapping): PublishedPort[] =>
  Array.from({ length: Math.max(range, 1) }, (_, at) => ({
    containerPort: first.containerPort + at,
    hostPort: first.hostPort + at,
    hostIp: first.hostIp === '' ? '0.0.0.0' : first.hostIp,
    protocol: first.protocol,
  }));

/** Where a port (`80`, `80/udp`) is published. Errors: USAGE where it is not. */
export function findPorts(ports: readonly PublishedPort[], wanted: string): PublishedPort[] {
  const [number = '', protocol = 'tcp', ...more] = wanted.split('/');
  if (more.length > 0 || !/^\d{1,5}$/.test(number)) {
    fail('USAGE', { message: `port formats are port/protocol. '${wanted}' is invalid` });
  }
  const found = ports.filter((port) => port.containerPort === Number(number) && port.protocol === protocol);
  return found.length > 0 ? found : fail('USAGE', { message: `failed to find published port "${wanted}"` });
}
