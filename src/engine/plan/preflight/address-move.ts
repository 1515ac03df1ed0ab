import type { NetworkConfig } from '../../../model/container.ts';
import { type Finding, obstacle, ok, warning } from './finding.ts';

/** A network as one of two hosts has it, and the addresses that the container has there. */
export interface MovingNetwork {
  readonly name: string;
  /** Its containers stand in a layer-2 segment that other hosts share (isDirect of network/drivers.ts). */
  readonly direct: boolean;
  /** CIDRs. */
  readonly subnets: readonly string[];
  /** Without prefix lengths; of the source. */
  readonly addresses: readonly string[];
}

export interface AddressMoveFacts {
  readonly mode: NetworkConfig['mode'];
  /** The container's networks at the source. */
  readonly source: readonly MovingNetwork[];
  /** Networks of these names at the target. */
  readonly target: readonly MovingNetwork[];
  /** Established connections must live on (--tcp-established, and there are some to outside). */
  readonly connections: boolean;
  /** The container publishes ports of its host. */
  readonly publishes: boolean;
}

const HINT =
  'Put it on a network of the segment that both hosts are in (network create -d macvlan, or -o mode=unmanaged), or leave out --tcp-established and close the connections first.';

/** Whether a container's addresses move along from one host to another, told before anything moves. */
export function addressMoveFindings(facts: AddressMoveFacts): Finding[] {
  if (facts.mode === 'none') return [ok('network', 'none: it has no address to move')];
  if (facts.mode !== 'bridge') {
    return [stays(facts, `its address is that of its ${facts.mode === 'host' ? 'host' : 'namespace'}`)];
  }
  const found = facts.source.map((network) => networkFinding(facts, network));
  return facts.publishes && facts.source.some(({ direct }) => !direct) ? [...found, PORTS] : found;
}

const PORTS = warning(
  'ports',
  'its published ports will be those of the target: clients that use the address of the source must turn there',
);

function networkFinding(
  facts: AddressMoveFacts,
  { name, direct, subnets, addresses }: MovingNetwork,
): Finding {
  const there = facts.target.find((network) => network.name === name);
  if (!direct) return stays(facts, `the network ${name} is a bridge of the source alone`);
  // That it is missing is told by the import's own preflight.
  if (there === undefined) return warning('network', `the target has no network ${name}`);
  if (!there.direct) return stays(facts, `the network ${name} of the target is a bridge of its own`);
  if (subnets.join() !== there.subnets.join()) {
    const at = there.subnets.join(', ');
    return stays(facts, `the network ${name} of the target has the subnet ${at}, not ${subnets.join(', ')}`);
  }
  return ok('network', `${name}: ${addresses.join(', ')} ${addresses.length > 1 ? 'move' : 'moves'} along`);
}

/** An address that does not move is an obstacle only to connections. */
const stays = ({ connections }: AddressMoveFacts, why: string): Finding =>
  connections
    ? obstacle('network', 'MIGRATION_REFUSED', `its connections cannot move along: ${why}`, HINT)
    : warning('network', `its address does not move along: ${why}`);
