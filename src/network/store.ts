import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, fail, isCryopodError } from '../model/errors.ts';
import { checkName, isIdPrefix } from '../model/ids.ts';
import type { Network } from '../model/network.ts';
import { timestamp } from '../system/clock.ts';
import { createDurable, syncPath } from '../system/durable.ts';
import { networksDirectory, type StorePaths } from '../system/store-paths.ts';
import { type Cidr, overlaps, parseCidr } from './address.ts';
import { checkDriverOptions, driverNamed, isDirect } from './drivers.ts';
import { hostLinks, hostSubnets } from './host.ts';
import { cidrOf } from './ipam.ts';
import { freeBridgeName, freeIpv6Subnet, freeSubnet, makeSubnet } from './subnets.ts';

/** The network of containers that name none. Its name is podman's, so that archives and users can change over. */
export const DEFAULT_NETWORK = 'podman';

/** What `network create` takes; subnets, gateways and ranges belong together by position. */
export interface NetworkRequest {
  readonly name?: string | undefined;
  readonly driver?: string | undefined;
  readonly subnets?: readonly string[] | undefined;
  readonly gateways?: readonly string[] | undefined;
  /** CIDRs, or START-END. */
  readonly ranges?: readonly string[] | undefined;
  readonly internal?: boolean | undefined;
  readonly ipv6?: boolean | undefined;
  readonly disableDns?: boolean | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly options?: Readonly<Record<string, string>> | undefined;
  readonly interfaceName?: string | undefined;
}

const fileOf = (store: StorePaths, name: string): string => join(networksDirectory(store), `${name}.json`);

/** All networks, by name; makes the default one first if it is missing. */
export async function listNetworks(store: StorePaths): Promise<Network[]> {
  await ensureDefaultNetwork(store);
  return recordedNetworks(store);
}

/** A network by name, ID or unambiguous start of an ID. Fails with NO_SUCH_NETWORK or AMBIGUOUS_ID. */
export async function findNetwork(store: StorePaths, nameOrId: string): Promise<Network> {
  if (nameOrId === DEFAULT_NETWORK) return ensureDefaultNetwork(store);
  const networks = await listNetworks(store);
  const named = networks.find(({ name }) => name === nameOrId);
  if (named !== undefined) return named;
  const byId = isIdPrefix(nameOrId) ? networks.filter(({ id }) => id.startsWith(nameOrId)) : [];
  if (byId.length > 1) {
    fail('AMBIGUOUS_ID', {
      message: `more than one result for network ID ${nameOrId}: network ID is ambiguous`,
    });
  }
  return (
    byId[0] ??
    fail('NO_SUCH_NETWORK', {
      message: `unable to find network with name or ID ${nameOrId}: network not found`,
      hint: 'cryopod network ls shows the networks there are.',
    })
  );
}

/** As {@link findNetwork}; undefined where there is none, or more than one. */
export async function networkIfThere(store: StorePaths, nameOrId: string): Promise<Network | undefined> {
  try {
    return await findNetwork(store, nameOrId);
  } catch (error) {
    if (isCryopodError(error, 'NO_SUCH_NETWORK') || isCryopodError(error, 'AMBIGUOUS_ID')) return undefined;
    throw error;
  }
}

/**
 * The default network, made on first use: a /16 and a bridge of its own that collide with nothing on this host, without
 * DNS, as podman's. Safe for concurrent first uses.
 */
export async function ensureDefaultNetwork(store: StorePaths): Promise<Network> {
  const existing = await readNetwork(store, DEFAULT_NETWORK);
  if (existing !== undefined) return existing;
  const networks = await recordedNetworks(store);
  const cidr = freeSubnet(store.root, 16, usedSubnets(networks));
  const network = baseNetwork(store, networks, { name: DEFAULT_NETWORK, disableDns: true }, [cidr]);
  try {
    await writeNetwork(store, network);
    return network;
  } catch (error) {
    const other = errnoOf(error) === 'EEXIST' ? await readNetwork(store, DEFAULT_NETWORK) : undefined;
    if (other === undefined) throw error;
    return other;
  }
}

/**
 * Makes and records a network (nothing is set up on the host before a container joins it). The caller holds a lock
 * against concurrent creation, so that two networks do not choose the same subnet. Fails with NAME_IN_USE, USAGE,
 * ADDRESS_IN_USE or NETWORK_FAILED.
 */
export async function createNetwork(store: StorePaths, request: NetworkRequest): Promise<Network> {
  const networks = await listNetworks(store);
  const name = request.name === undefined ? freeName(networks) : checkName(request.name, 'network');
  if (['none', 'host', 'bridge', 'container', 'ns', 'private', 'default'].includes(name)) {
    fail('USAGE', {
      message: `cannot create network with name "${name}" because it conflicts with a valid network mode`,
    });
  }
  const driver = driverNamed(request.driver);
  const options = request.options ?? {};
  checkDriverOptions(driver, options);
  const direct = isDirect({ driver, options });
  if (driver === 'macvlan') checkMacvlan(request);
  const alreadyUsed = (): never =>
    fail('NAME_IN_USE', { message: `network name ${name} already used: network already exists` });
  if (networks.some((network) => network.name === name)) alreadyUsed();
  const cidrs = chooseCidrs(request, usedSubnets(networks), { root: store.root, direct });
  const network = baseNetwork(store, networks, { ...request, name }, cidrs);
  try {
    await writeNetwork(store, network);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') alreadyUsed();
    throw error;
  }
  return network;
}

/**
 * Removes the record of a network; idempotent. The caller has made sure that no container uses it. The default network
 * cannot be removed (USAGE).
 */
export async function removeNetwork(store: StorePaths, name: string): Promise<void> {
  if (name === DEFAULT_NETWORK) {
    fail('USAGE', { message: `default network ${name} cannot be removed` });
  }
  await rm(fileOf(store, name), { force: true });
  await syncPath(networksDirectory(store));
}

async function recordedNetworks(store: StorePaths): Promise<Network[]> {
  const names = await readdir(networksDirectory(store)).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  });
  const files = names.filter((file) => file.endsWith('.json') && !file.startsWith('.')).sort();
  const networks = await Promise.all(files.map((file) => readNetwork(store, file.replace(/\.json$/, ''))));
  return networks.flatMap((network) => network ?? []);
}

async function readNetwork(store: StorePaths, name: string): Promise<Network | undefined> {
  const path = fileOf(store, name);
  try {
    return checkRecord(JSON.parse(await readFile(path, 'utf8')), path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    if (error instanceof SyntaxError) return badRecord(path, error.message);
    throw error;
  }
}

const badRecord = (path: string, why: string): never =>
  fail('STORE_FAILED', {
    message: `the network record ${path} cannot be read: ${why}`,
    hint: 'Repair or remove it.',
  });

/** A record is cryopod's own or was put there by the host's administrator: only what the rest relies on is checked. */
function checkRecord(record: Partial<Network> | null, path: string): Network {
  const { name, id, driver, network_interface: link, subnets } = record ?? {};
  if (typeof name !== 'string' || typeof id !== 'string' || typeof link !== 'string') {
    return badRecord(path, 'name, id or network_interface is missing');
  }
  if (driver !== 'bridge' && driver !== 'macvlan') {
    return badRecord(path, `driver "${String(driver)}" is not supported`);
  }
  if (!Array.isArray(subnets) || !subnets.every(({ subnet }) => parseCidr(String(subnet)) !== undefined)) {
    return badRecord(path, 'its subnets are no CIDRs');
  }
  return {
    created: '',
    ipv6_enabled: false,
    internal: false,
    dns_enabled: false,
    ipam_options: { driver: 'host-local' },
    ...record,
    ...{ name, id, driver, network_interface: link, subnets },
  };
}

async function writeNetwork(store: StorePaths, network: Network): Promise<void> {
  await mkdir(networksDirectory(store), { recursive: true, mode: 0o700 });
  await createDurable(fileOf(store, network.name), `${JSON.stringify(network, undefined, 5)}\n`);
}

const usedSubnets = (networks: readonly Network[]): Cidr[] => [
  ...networks.flatMap(({ subnets }) => subnets.map(cidrOf)),
  ...hostSubnets(),
];

function freeName(networks: readonly Network[]): string {
  for (let i = 1; ; i += 1) {
    const name = `${DEFAULT_NETWORK}${i}`;
    if (!networks.some((network) => network.name === name)) return name;
  }
}

/** Addresses of a macvlan network are those of the segment that its parent is in: nobody but the user knows them. */
function checkMacvlan({ subnets = [], interfaceName }: NetworkRequest): void {
  if (subnets.length === 0) {
    fail('USAGE', {
      message: 'macvlan driver needs at least one subnet specified: addresses by DHCP are not supported',
      hint: "Give the subnet of the segment with --subnet, and with --ip-range the part of it that is the containers'.",
    });
  }
  if (interfaceName !== undefined && !hostLinks().has(interfaceName)) {
    fail('USAGE', { message: `parent interface ${interfaceName} does not exist` });
  }
}

/** The subnets that were asked for, and what is missing of them from the pool. A direct network's is the host's own. */
function chooseCidrs(
  request: NetworkRequest,
  used: readonly Cidr[],
  { root, direct }: { readonly root: string; readonly direct: boolean },
): Cidr[] {
  const given = (request.subnets ?? []).map((text) => {
    const cidr = parseCidr(text) ?? fail('USAGE', { message: `invalid CIDR address: ${text}` });
    if (!direct && used.some((other) => overlaps(cidr, other))) {
      fail('ADDRESS_IN_USE', {
        message: `subnet ${text} is already used on the host or by another config`,
        hint: 'Choose another --subnet, or leave the choice to cryopod.',
      });
    }
    return cidr;
  });
  const pool = given.some(({ family }) => family === 4) ? [] : [() => freeSubnet(root, 24, used)];
  const wantsIpv6 = request.ipv6 === true && !given.some(({ family }) => family === 6);
  return [
    ...given,
    // An IPv6 subnet alone makes an IPv6 network, as with podman; --ipv6 adds the family that is missing.
    ...(given.length === 0 || request.ipv6 === true ? pool.map((choose) => choose()) : []),
    ...(wantsIpv6 ? [freeIpv6Subnet(used)] : []),
  ];
}

function baseNetwork(
  store: StorePaths,
  networks: readonly Network[],
  request: NetworkRequest & { readonly name: string },
  cidrs: readonly Cidr[],
): Network {
  const { internal = false, labels, options, gateways, ranges } = request;
  const driver = driverNamed(request.driver);
  const direct = isDirect({ driver, options });
  // Beside a network that is not cryopod's own, no name server of ours has a place to listen at.
  const disableDns = direct || request.disableDns === true;
  return {
    name: request.name,
    // Random: netavark names firewall chains after it, and two stores on one host must not share them.
    id: randomBytes(32).toString('hex'),
    driver,
    network_interface: interfaceFor(store, networks, request, direct),
    created: timestamp(),
    subnets: cidrs.map((cidr, i) =>
      makeSubnet(cidr, { gateway: gateways?.[i], range: ranges?.[i] }, !internal || !disableDns),
    ),
    ipv6_enabled: cidrs.some(({ family }) => family === 6),
    internal,
    dns_enabled: !disableDns,
    ...(labels === undefined || Object.keys(labels).length === 0 ? {} : { labels }),
    ...(options === undefined || Object.keys(options).length === 0 ? {} : { options }),
    ipam_options: { driver: 'host-local' },
  };
}

/**
 * The name of the bridge, or of the parent of macvlan links, where an empty one stands for the interface of the default
 * route. A bridge of our own must be new; one that others keep is looked for only when a container joins.
 */
function interfaceFor(
  { root }: StorePaths,
  networks: readonly Network[],
  { driver, interfaceName }: NetworkRequest,
  direct: boolean,
): string {
  // The name of an interface that others have made may have dots (eth0.5); netavark mistakes them in those of its own.
  const pattern = direct ? /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}$/ : /^[a-zA-Z0-9][a-zA-Z0-9_-]{0,14}$/;
  if (interfaceName !== undefined && !pattern.test(interfaceName)) {
    fail('USAGE', {
      message: `invalid interface name "${interfaceName}": at most 15 of a-z, A-Z, 0-9, _ and - are allowed`,
    });
  }
  if (driver === 'macvlan') return interfaceName ?? '';
  const links = new Set([...hostLinks(), ...networks.map((network) => network.network_interface)]);
  if (interfaceName === undefined) return freeBridgeName(root, links);
  if (!direct && links.has(interfaceName)) {
    fail('NAME_IN_USE', { message: `bridge name ${interfaceName} already in use` });
  }
  return interfaceName;
}
