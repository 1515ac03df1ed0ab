import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf, fail } from '../model/errors.ts';
import type { Network, NetworkStatus, PortMapping } from '../model/network.ts';
import { type RunResult, run } from '../system/process.ts';
import { netavarkDirectory, type StorePaths } from '../system/store-paths.ts';
import { findProgram } from '../system/tools.ts';

/** How one container joins one network; addresses in the order of the network's subnets. */
export interface Attachment {
  readonly network: Network;
  readonly interfaceName: string;
  readonly addresses: readonly string[];
  readonly mac: string;
  readonly aliases: readonly string[];
}

/** All that netavark is told about a container: the same for setup and for teardown. */
export interface NetavarkRequest {
  readonly id: string;
  readonly name: string;
  readonly hostname: string;
  readonly attachments: readonly Attachment[];
  readonly ports: readonly PortMapping[];
  /** Servers that aardvark-dns asks for names it does not know. */
  readonly dnsServers: readonly string[];
}

/** Directories of podman's helper programs: Debian and Fedora, then local builds (containers.conf(5), helper_binaries_dir). */
const HELPER_DIRECTORIES = [
  '/usr/local/libexec/podman',
  '/usr/local/lib/podman',
  '/usr/libexec/podman',
  '/usr/lib/podman',
];

/** One lock for the host, as rules of all stores share tables: netavark checks, then adds, and 1.4 takes no lock of its own. */
const LOCK_FILE = '/run/lock/cryopod-netavark.lock';
const LOCK_WAIT_SECONDS = 60;
/** Exit status that flock(1) is told to use when the wait is over; netavark itself ends with 0, 1 or 101. */
const LOCK_BUSY = 75;

export const findNetavark = (): string | undefined => findProgram('netavark', HELPER_DIRECTORIES);
export const findAardvark = (): string | undefined => findProgram('aardvark-dns', HELPER_DIRECTORIES);

/**
 * The network's name for netavark: netavark 1.4 names firewall chains by a hash of it, so that two networks of the same
 * name (podman's and cryopod's, or those of two stores) would share, and tear down, each other's chains.
 */
const netavarkName = (network: Network): string => `${network.name}-${network.id.slice(0, 12)}`;

/**
 * Connects the namespace to its networks: bridge, veth pair, addresses, routes, firewall, port forwarding, DNS entries.
 * Not idempotent. On failure netavark undoes what it did, as far as it can. Fails with NETWORK_FAILED, ADDRESS_IN_USE or
 * PORT_IN_USE.
 */
export async function netavarkSetup(
  store: StorePaths,
  netns: string,
  request: NetavarkRequest,
): Promise<Record<string, NetworkStatus>> {
  const result = await runNetavark(store, 'setup', netns, request);
  if (!result.ok) return failNetavark('connect', request, result);
  const byKey: unknown = JSON.parse(result.stdout);
  return statusByName(byKey, request);
}

/** Undoes {@link netavarkSetup}. Fails with NETWORK_FAILED when something was missing, although the rest is gone then. */
export async function netavarkTeardown(
  store: StorePaths,
  netns: string,
  request: NetavarkRequest,
): Promise<void> {
  const result = await runNetavark(store, 'teardown', netns, await withoutLostDns(store, request));
  if (!result.ok) failNetavark('disconnect', request, result);
}

/** netavark fails to tear down DNS entries that are not there any more: such networks are passed as having no DNS. */
async function withoutLostDns(store: StorePaths, request: NetavarkRequest): Promise<NetavarkRequest> {
  const attachments = await Promise.all(
    request.attachments.map(async (attachment) => {
      const { network } = attachment;
      if (!network.dns_enabled || (await hasDnsEntry(store, network, request.id))) return attachment;
      return { ...attachment, network: { ...network, dns_enabled: false } };
    }),
  );
  return { ...request, attachments };
}

/** aardvark-dns keeps a file for each network, named NAME, or NAME%int for internal networks since 1.8. */
async function hasDnsEntry(store: StorePaths, network: Network, id: string): Promise<boolean> {
  const directory = join(netavarkDirectory(store), 'aardvark-dns');
  for (const suffix of ['', '%int']) {
    try {
      const entries = await readFile(join(directory, netavarkName(network) + suffix), 'utf8');
      if (entries.includes(id)) return true;
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }
  return false;
}

async function runNetavark(
  store: StorePaths,
  verb: 'setup' | 'teardown',
  netns: string,
  request: NetavarkRequest,
): Promise<RunResult> {
  const netavark =
    findNetavark() ??
    fail('PROGRAM_MISSING', {
      message: `could not ${verb} the network: netavark is not installed`,
      hint: 'Install the package netavark, or run the container with --network none or host.',
    });
  const directory = netavarkDirectory(store);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await mkdir(dirname(LOCK_FILE), { recursive: true });
  // aardvark-dns outlives this command: with --close it does not inherit, and so not keep, the lock.
  const lock = [
    'flock',
    '--close',
    `--timeout=${LOCK_WAIT_SECONDS}`,
    `--conflict-exit-code=${LOCK_BUSY}`,
    LOCK_FILE,
  ];
  const options = ['--config', directory, '--rootless', 'false', '--aardvark-binary', aardvarkPath()];
  return run([...lock, netavark, ...options, verb, netns], { input: JSON.stringify(netavarkInput(request)) });
}

/** netavark goes on without DNS when this file is missing; the option itself is needed. */
const aardvarkPath = (): string => findAardvark() ?? '/usr/lib/podman/aardvark-dns';

/** The JSON that netavark reads (netavark src/network/types.rs, NetworkOptions; the same from 1.0 to 1.17). */
function netavarkInput(request: NetavarkRequest): unknown {
  const { attachments, ports, dnsServers } = request;
  return {
    container_id: request.id,
    container_name: request.name,
    container_hostname: request.hostname,
    networks: Object.fromEntries(
      attachments.map(({ network, interfaceName, addresses, mac, aliases }) => [
        netavarkName(network),
        { interface_name: interfaceName, static_ips: addresses, static_mac: mac, aliases },
      ]),
    ),
    network_info: Object.fromEntries(
      attachments.map(({ network }) => [netavarkName(network), { ...network, name: netavarkName(network) }]),
    ),
    ...(ports.length === 0 ? {} : { port_mappings: ports.map(portInput) }),
    ...(dnsServers.length === 0 ? {} : { dns_servers: dnsServers }),
  };
}

const portInput = (port: PortMapping): unknown => ({
  host_ip: port.hostIp,
  container_port: port.containerPort,
  host_port: port.hostPort,
  range: port.range,
  protocol: port.protocol,
});

function statusByName(answer: unknown, request: NetavarkRequest): Record<string, NetworkStatus> {
  const byKey = (answer ?? {}) as Readonly<Record<string, NetworkStatus>>;
  return Object.fromEntries(
    request.attachments.map(({ network }) => {
      const status = byKey[netavarkName(network)];
      if (status?.interfaces === undefined) {
        return fail('NETWORK_FAILED', { message: `netavark gave no status for network ${network.name}` });
      }
      return [network.name, status];
    }),
  );
}

function failNetavark(doing: 'connect' | 'disconnect', request: NetavarkRequest, result: RunResult): never {
  const names = request.attachments.map(({ network }) => network.name).join(', ');
  const what = `could not ${doing} container ${request.name} ${doing === 'connect' ? 'to' : 'from'} ${names}`;
  if (result.code === LOCK_BUSY) {
    fail('BUSY', { message: `${what}: another command works on the host's networks (${LOCK_FILE})` });
  }
  const text = request.attachments.reduce(
    (message, { network }) => message.replaceAll(netavarkName(network), network.name),
    errorText(result),
  );
  if (/address already in use/i.test(text)) {
    fail('PORT_IN_USE', {
      message: `${what}: ${text}`,
      hint: 'Something on the host listens on port 53 of the bridge address (DNS); stop it or use --disable-dns.',
    });
  }
  fail('NETWORK_FAILED', { message: `${what}: ${text}`, hint: hintFor(text) });
}

/** netavark prints {"error": text} on stdout; a crash leaves only stderr. */
function errorText(result: RunResult): string {
  try {
    const { error } = JSON.parse(result.stdout) as { error?: unknown };
    if (typeof error === 'string') return error.replaceAll(/\s*\n\s*/g, ' ');
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const output = `${result.stdout}\n${result.stderr}`.trim().split('\n').slice(-5).join('; ');
  return output || `netavark ended with status ${result.code ?? result.signal}`;
}

function hintFor(text: string): string | undefined {
  if (/iptables|nft/i.test(text)) {
    return 'Check that iptables (or nft, with netavark 1.10 and newer) works on this host.';
  }
  if (/already exists but is a/.test(text))
    return 'Another interface has the name of the bridge; rename one.';
  return undefined;
}
