import type { NetworkMember } from '../../engine/network/inspect.ts';
import type { Network, Subnet } from '../../model/network.ts';
import { templateView } from '../render/view.ts';

interface Reported extends Network {
  readonly containers?: Readonly<Record<string, NetworkMember>>;
}

const subnetView = (subnet: Subnet): object =>
  templateView(
    {
      Subnet: subnet.subnet,
      Gateway: subnet.gateway ?? '',
      LeaseRange:
        subnet.lease_range === undefined
          ? null
          : templateView(
              { StartIP: subnet.lease_range.start_ip ?? '', EndIP: subnet.lease_range.end_ip ?? '' },
              subnet.lease_range,
            ),
    },
    subnet,
  );

/** A network with the field names of podman's templates (podman-network-inspect(1)). */
export const networkView = (network: Reported): object =>
  templateView(
    {
      Name: network.name,
      ID: network.id,
      Driver: network.driver,
      NetworkInterface: network.network_interface,
      Created: network.created,
      Subnets: network.subnets.map(subnetView),
      IPv6Enabled: network.ipv6_enabled,
      Internal: network.internal,
      DNSEnabled: network.dns_enabled,
      Labels: network.labels ?? {},
      Options: network.options ?? {},
      IPAMOptions: network.ipam_options,
      Containers: new Map(
        Object.entries(network.containers ?? {}).map(([id, member]) => [
          id,
          templateView({ Name: member.name, Interfaces: member.interfaces }, member),
        ]),
      ),
    },
    inOrder(network),
  );

/** podman's order of the fields, for people who read the JSON. */
const inOrder = ({ name, id, driver, network_interface, created, subnets, ...rest }: Reported): Reported => ({
  ...{ name, id, driver, network_interface, created, subnets },
  ...rest,
});
