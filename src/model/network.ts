/** A network in cryopod's store; the JSON is that of podman's network files and of netavark's `network_info`. */
export interface Network {
  readonly name: string;
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly driver: 'bridge' | 'macvlan';
  /** The bridge; of macvlan, the parent: empty for the interface of the default route. */
  readonly network_interface: string;
  readonly created: string;
  readonly subnets: readonly Subnet[];
  readonly ipv6_enabled: boolean;
  readonly internal: boolean;
  readonly dns_enabled: boolean;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly options?: Readonly<Record<string, string>> | undefined;
  readonly ipam_options: { readonly driver: string };
}

export interface Subnet {
  /** CIDR. */
  readonly subnet: string;
  readonly gateway?: string | undefined;
  readonly lease_range?: { readonly start_ip?: string; readonly end_ip?: string } | undefined;
}

/** A network that a container asks for. */
export interface AttachedNetwork {
  readonly name: string;
  readonly staticIps: readonly string[];
  readonly staticMac?: string | undefined;
  readonly aliases: readonly string[];
  readonly interfaceName?: string | undefined;
}

export interface PortMapping {
  /** Empty for all addresses. */
  readonly hostIp: string;
  readonly containerPort: number;
  readonly hostPort: number;
  /** Number of consecutive ports. */
  readonly range: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
}

/** What netavark answers for one network (its StatusBlock JSON). */
export interface NetworkStatus {
  readonly dns_search_domains?: readonly string[];
  readonly dns_server_ips?: readonly string[];
  readonly interfaces: Readonly<
    Record<
      string,
      {
        readonly mac_address: string;
        readonly subnets: readonly { readonly ipnet: string; readonly gateway?: string }[];
      }
    >
  >;
}
