import { existsSync } from 'node:fs';
import type { Container, ContainerState } from '../../model/container.ts';
import type { PortMapping } from '../../model/network.ts';
import { portsOverlap } from '../../network/ports.ts';
import { type PortReservation, reservePorts } from '../../network/reserve.ts';
import { beginContainerNetwork, teardownContainerNetwork } from '../../network/setup.ts';
import { listContainers, updateState } from '../../state/containers.ts';
import type { Cleanup } from '../../system/cleanup.ts';
import { logInfo } from '../../system/log.ts';
import type { EngineContext } from '../context.ts';
import { readNetworkStatus } from './status-file.ts';

/** The part of a container's record that says what network it holds. */
export type NetworkHoldings = Pick<ContainerState, 'netns' | 'networks' | 'networkHeld' | 'ports'>;

export interface AttachOptions {
  /** Packets are dropped from the moment that the link is there until releaseNetwork (for a restore). */
  readonly hold: boolean;
  /** Directory of the checkpoint that is restored: the addresses that its processes know are taken again. */
  readonly checkpoint?: string | undefined;
  readonly ignoreStaticIp?: boolean | undefined;
  readonly ignoreStaticMac?: boolean | undefined;
}

export interface Attached {
  readonly netns: string | undefined;
  /** Sockets that keep its published ports, for the monitor to inherit. */
  readonly reservation: PortReservation;
  /** What the container has of the network, once all of it is there. */
  readonly holdings: Promise<NetworkHoldings>;
}

/**
 * Connects a container, or takes up again the connection that a checkpoint has kept; links and rules are made while the
 * caller goes on. The address that another,
 * checkpointed container keeps is given up when this one needs its host port. Undone with `cleanup`; the reservation's
 * sockets are closed by the caller once the monitor has them. Errors: NETWORK_FAILED, PORT_IN_USE, ADDRESS_IN_USE …
 */
export async function attachNetwork(
  ctx: EngineContext,
  { config, state }: Container,
  cleanup: Cleanup,
  options: AttachOptions,
): Promise<Attached> {
  const others = listContainers(ctx.db).filter((other) => other.config.id !== config.id);
  if (options.ignoreStaticIp === true || options.ignoreStaticMac === true) {
    await teardownContainerNetwork(ctx.store, config.id);
  }
  await giveUpPorts(ctx, config.network.ports, others);
  const previous =
    Object.keys(state.networks).length > 0 ? state.networks : await statusOf(options.checkpoint);
  const { netns, networks, ports } = await beginContainerNetwork(ctx.store, {
    id: config.id,
    name: config.name,
    hostname: config.hostname,
    config: config.network,
    others: others.map((other) => ({ id: other.config.id, networks: other.state.networks })),
    previous,
    ignoreStaticIp: options.ignoreStaticIp,
    ignoreStaticMac: options.ignoreStaticMac,
    hold: options.hold,
  });
  // What is still being made cannot be undone.
  cleanup.add('wait for the network', () => networks.catch(() => undefined));
  const reservation = await reservePorts(ports);
  cleanup.add('free the published ports', reservation.close);
  const networkHeld = options.hold && netns !== undefined;
  const holdings = networks.then((known) => ({ netns, networks: known, networkHeld, ports }));
  // Awaited later; until then a failure is not an unhandled one.
  holdings.catch(() => undefined);
  return { netns, reservation, holdings };
}

const statusOf = async (checkpoint: string | undefined): Promise<ContainerState['networks'] | undefined> =>
  checkpoint !== undefined && existsSync(checkpoint) ? await readNetworkStatus(checkpoint) : undefined;

/** A checkpointed container's ports are kept only as long as nobody else wants them, as with podman. */
async function giveUpPorts(
  ctx: EngineContext,
  wanted: readonly PortMapping[],
  others: readonly Container[],
): Promise<void> {
  for (const { config, state } of others) {
    if (!state.networkHeld || !portsOverlap(wanted, state.ports ?? [])) continue;
    logInfo(`the address kept for ${config.name} is given up: its host port is wanted by another container`);
    await teardownContainerNetwork(ctx.store, config.id);
    updateState(ctx.db, config.id, { netns: undefined, networkHeld: false, ports: undefined });
  }
}
