import { rm } from 'node:fs/promises';
import type { NetworkConfig } from '../model/container.ts';
import type { AttachedNetwork, Network, NetworkStatus, PortMapping } from '../model/network.ts';
import { undoOnFailure } from '../system/cleanup.ts';
import { logInfo } from '../system/log.ts';
import { netnsPath, type StorePaths } from '../system/store-paths.ts';
import { connectDirect, disconnectDirect } from './direct.ts';
import { isDirect } from './drivers.ts';
import { holdNetwork } from './hold.ts';
import { checkMac, type NetworkUse, randomMac, statusAddresses, takenAddresses } from './ipam.ts';
import { leaseAddresses, releaseAllLeases, releaseLeases } from './leases.ts';
import { createNamespace, namespaceExists, removeNamespace } from './namespace.ts';
import { type Attachment, type NetavarkRequest, netavarkSetup, netavarkTeardown } from './netavark.ts';
import { checkPortsFree, resolvePorts } from './ports.ts';
import { readRecord, recordPath, type SetupRecord, writeRecord } from './record.ts';
import { endSilence, forgetSilence } from './silence.ts';
import { removeIdleBridge, standIn } from './stand-in.ts';
import { DEFAULT_NETWORK, findNetwork } from './store.ts';

/** What a container wants of the network, and what must be respected. */
export interface NetworkSetup {
  readonly id: string;
  readonly name: string;
  readonly hostname: string;
  readonly config: NetworkConfig;
  /** Networks of the containers that run or are held: their addresses are taken. */
  readonly others: readonly NetworkUse[];
  /** An earlier status of this container: the same addresses and MACs are given again, or the setup fails. */
  readonly previous?: Readonly<Record<string, NetworkStatus>> | undefined;
  /** Neither `previous` nor the user's --ip counts. */
  readonly ignoreStaticIp?: boolean | undefined;
  readonly ignoreStaticMac?: boolean | undefined;
  /** The network is held before the link is there: no packet ever meets a missing socket. */
  readonly hold: boolean;
}

export interface ConnectedNetwork {
  /** The namespace for the runtime; undefined where the container uses the host's. */
  readonly netns: string | undefined;
  readonly networks: Readonly<Record<string, NetworkStatus>>;
  /** The published ports with host ports chosen. */
  readonly ports: readonly PortMapping[];
}

/** A network whose links, addresses and rules are still being made. */
export interface NetworkUnderWay extends Omit<ConnectedNetwork, 'networks'> {
  /** Whoever asks for it waits for its end, also where something else has failed meanwhile. */
  readonly networks: Promise<ConnectedNetwork['networks']>;
}

/** {@link beginContainerNetwork}, to its end. */
export async function setupContainerNetwork(
  store: StorePaths,
  setup: NetworkSetup,
): Promise<ConnectedNetwork> {
  const { networks, ...begun } = await beginContainerNetwork(store, setup);
  return { ...begun, networks: await networks };
}

/**
 * Makes the container's network: namespace, hold, addresses, links, ports. Namespace and ports are there on return, the
 * rest, which takes longest, when `networks` is. Modes host, container and ns need nothing
 * made. Idempotent: where the network is up already, as after a checkpoint that keeps it, it is returned as it is (and
 * held, if asked). On failure nothing is left. Fails with ADDRESS_IN_USE, PORT_IN_USE, NO_SUCH_NETWORK, NETWORK_FAILED,
 * BUSY.
 */
export async function beginContainerNetwork(
  store: StorePaths,
  setup: NetworkSetup,
): Promise<NetworkUnderWay> {
  const { mode, target } = setup.config;
  if (mode !== 'bridge' && mode !== 'none') {
    return { netns: mode === 'ns' ? target : undefined, networks: Promise.resolve({}), ports: [] };
  }
  const netns = netnsPath(store, setup.id);
  const record = await readRecord(store, setup.id);
  if (record?.networks !== undefined && record.current && namespaceExists(netns)) {
    const { networks, request } = record;
    return { netns, networks: underWay(() => takeUp(store, netns, setup, networks)), ports: request.ports };
  }
  // Also a namespace without a record (the runroot was emptied): what is in it belongs to nobody.
  if (record !== undefined || namespaceExists(netns)) await teardownContainerNetwork(store, setup.id);
  const undone = <T>(work: () => Promise<T>): Promise<T> =>
    undoOnFailure(async (cleanup) => {
      cleanup.add(`undo the network of ${setup.name}`, () => teardownContainerNetwork(store, setup.id));
      return await work();
    });
  const request = await undone(() => makeReady(store, netns, setup));
  const networks = underWay(() =>
    undone(async () => {
      if (setup.hold) await holdNetwork(netns);
      const connected = await connect(store, netns, request);
      await writeRecord(store, { request, networks: connected });
      return connected;
    }),
  );
  return { netns, networks, ports: request.ports };
}

/** Begins work that is awaited later; until then a failure is not an unhandled one. */
function underWay<T>(work: () => Promise<T>): Promise<T> {
  const promise = work();
  promise.catch(() => undefined);
  return promise;
}

/** A network that is up already. */
async function takeUp(
  store: StorePaths,
  netns: string,
  { id, hold }: NetworkSetup,
  networks: ConnectedNetwork['networks'],
): Promise<ConnectedNetwork['networks']> {
  if (hold) await holdNetwork(netns);
  await endSilence(store, id);
  return networks;
}

/** Namespace, addresses and ports, noted on disk as what is to be connected. */
async function makeReady(store: StorePaths, netns: string, setup: NetworkSetup): Promise<NetavarkRequest> {
  const { id, name, hostname, config } = setup;
  await createNamespace(netns);
  const attachments = config.mode === 'bridge' ? await attach(store, setup) : [];
  // Nothing can forward a port of the host into a network that it does not route to: as with podman, it is ignored.
  const forwards = attachments.some(({ network }) => !isDirect(network));
  const ports = forwards ? await resolvePorts(config.ports) : [];
  await checkPortsFree(ports);
  const request = { id, name, hostname, attachments, ports, dnsServers: config.dnsServers };
  await writeRecord(store, { request });
  return request;
}

/** The request of all networks that are netavark's; undefined where none is. */
function forNetavark(request: NetavarkRequest): NetavarkRequest | undefined {
  const attachments = request.attachments.filter(({ network }) => !isDirect(network));
  return attachments.length === 0 ? undefined : { ...request, attachments };
}

async function connect(
  store: StorePaths,
  netns: string,
  request: NetavarkRequest,
): Promise<Record<string, NetworkStatus>> {
  const netavarks = forNetavark(request);
  const networks = netavarks === undefined ? {} : await netavarkSetup(store, netns, netavarks);
  for (const attachment of request.attachments.filter(({ network }) => isDirect(network))) {
    networks[attachment.network.name] = await connectDirect(netns, attachment);
  }
  return networks;
}

async function attach(store: StorePaths, setup: NetworkSetup): Promise<Attachment[]> {
  const asked =
    setup.config.networks.length > 0
      ? setup.config.networks
      : [{ name: DEFAULT_NETWORK, staticIps: [], aliases: [] }];
  const attachments: Attachment[] = [];
  for (const [index, wanted] of asked.entries()) {
    const network = await findNetwork(store, wanted.name);
    attachments.push(await attachOne(store, setup, wanted, network, index));
  }
  return attachments;
}

async function attachOne(
  store: StorePaths,
  setup: NetworkSetup,
  wanted: AttachedNetwork,
  network: Network,
  index: number,
): Promise<Attachment> {
  const before = setup.previous?.[network.name];
  const [link] = Object.entries(before?.interfaces ?? {});
  const addresses = before === undefined ? wanted.staticIps : statusAddresses(before);
  const mac = link?.[1].mac_address ?? wanted.staticMac;
  return {
    network,
    interfaceName: wanted.interfaceName ?? link?.[0] ?? `eth${index}`,
    addresses: await leaseAddresses(
      store,
      network,
      setup.id,
      setup.ignoreStaticIp === true ? [] : addresses,
      takenAddresses(setup.others, network.name),
    ),
    mac: mac === undefined || setup.ignoreStaticMac === true ? randomMac() : checkMac(mac),
    aliases: aliasesOf(setup, wanted),
  };
}

/** Names in the network's DNS beside the container's own name, which netavark adds itself. */
function aliasesOf({ id, name, hostname }: NetworkSetup, { aliases }: AttachedNetwork): string[] {
  return [...new Set([...aliases, id.slice(0, 12), hostname])].filter((alias) => alias !== name);
}

/**
 * Takes the container off its networks: links, firewall and forwarding rules, DNS entries, bridges without containers,
 * addresses, namespace, and with it a hold. Needs nothing but the ID; idempotent; right also after a crash in the middle
 * of a setup, after the namespace was lost, and after a reboot. Also the way to give up a hold. When netavark fails the
 * rest is removed all the same before it throws NETWORK_FAILED.
 */
export async function teardownContainerNetwork(store: StorePaths, id: string): Promise<void> {
  const record = await readRecord(store, id);
  const netns = netnsPath(store, id);
  let failure: unknown;
  if (record?.current === true) failure = await disconnect(store, netns, record);
  await removeNamespace(netns);
  await forgetSilence(store, id);
  if (record === undefined) await releaseAllLeases(store, id);
  for (const { network } of record?.request.attachments ?? []) await releaseLeases(store, network, id);
  await rm(recordPath(store, id), { force: true });
  if (failure !== undefined) throw failure;
}

/** Returns the failure, for the caller goes on. */
async function disconnect(store: StorePaths, netns: string, record: SetupRecord): Promise<unknown> {
  const there = namespaceExists(netns);
  for (const attachment of record.request.attachments) {
    if (there && isDirect(attachment.network)) await disconnectDirect(netns, attachment);
  }
  const request = forNetavark(record.request);
  if (request === undefined) return undefined;
  const complete = record.networks !== undefined && there;
  if (complete) {
    try {
      await netavarkTeardown(store, netns, request);
      return undefined;
    } catch (error) {
      logInfo(`network teardown of ${request.name}, first try: ${String(error)}`);
    }
  }
  try {
    await standIn(netns, request.attachments);
    await netavarkTeardown(store, netns, request);
    return undefined;
  } catch (error) {
    await removeNamespace(netns);
    for (const { network } of request.attachments) await removeIdleBridge(network.network_interface);
    // Of a setup that failed half-way, rules that were never made cannot be removed: that is no failure.
    if (!complete) logInfo(`network teardown of ${request.name}: ${String(error)}`);
    return complete ? error : undefined;
  }
}
