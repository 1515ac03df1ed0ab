import type { Container, ContainerConfig, ContainerMount, NetworkConfig } from '../../../model/container.ts';
import { fail } from '../../../model/errors.ts';
import { goJson, parseGoJson } from '../../../model/go-json.ts';
import { ENGINE_FILES } from './mounts.ts';

/** Version of the part below the key `cryopod`. */
const VERSION = 1;

/**
 * The text of an archive's config.dump: the container in the words of podman's ContainerConfig (libpod/
 * container_config.go of 4.3, 5.8 and 6.0), and below the key `cryopod`, which podman does not look at, in cryopod's
 * own. Paths of this host and cgroup settings are left out: each importer has its own. Pure.
 */
export function configDump({ config, state }: Container): string {
  const { layers: _layers, logPath: _logPath, ...portable } = config;
  return goJson({
    ...identity(config),
    ...rootfs(config),
    ...behaviour(config),
    // podman never chooses a port at a restore.
    ...network({ ...config.network, ports: state.ports ?? config.network.ports }),
    cryopod: { version: VERSION, config: portable },
  });
}

const identity = (config: ContainerConfig) => ({
  id: config.id,
  name: config.name,
  CreateCommand: config.createCommand,
  RawImageName: config.imageName,
  rootfsImageID: config.imageId,
  rootfsImageName: config.imageName,
  createdTime: config.created,
  runtime: config.runtime.split('/').at(-1),
  cgroupManager: config.cgroupManager,
  cgroupsMode: 'enabled',
});

/** No user namespace: users and groups are the host's. Absent, podman would look for a mapping. */
const HOST_IDS = {
  HostUIDMapping: true,
  HostGIDMapping: true,
  UIDMap: null,
  GIDMap: null,
  AutoUserNs: false,
  AutoUserNsOpts: {
    Size: 0,
    InitialSize: 0,
    PasswdFile: '',
    GroupFile: '',
    AdditionalUIDMappings: null,
    AdditionalGIDMappings: null,
  },
};

const rootfs = ({ mounts, ipc, shmSize }: ContainerConfig) => ({
  idMappingsOptions: HOST_IDS,
  shmSize,
  ...(ipc.mode === 'none' ? { NoShm: true } : {}),
  ...(ipc.mode === 'private' ? { NOShmShare: true } : {}),
  ...(ipc.mode === 'host' ? { ShmDir: '/dev/shm' } : {}),
  namedVolumes: mounts.filter(({ type }) => type === 'volume').map(namedVolume),
  userVolumes: mounts.map(({ destination }) => destination),
  createWorkingDir: true,
  // Otherwise podman adds the user to the container's /etc/passwd, or mounts one of its own over it.
  passwd: false,
});

/** cryopod's additions to a volume's options are podman's defaults, but for nosuid and nodev. */
const namedVolume = ({ source, destination, options, anonymous }: ContainerMount) => ({
  volumeName: source,
  dest: destination,
  options: [...options.filter((option) => option !== 'nocopy' && option !== 'copy'), ...missing(options)],
  ...(anonymous === true ? { setAnonymous: true } : {}),
});

const missing = (options: readonly string[]): string[] => [
  ...(options.some((option) => /^r[ow]$/.test(option)) ? [] : ['rw']),
  ...(options.some((option) => /^r?(?:private|shared|slave|unbindable)$/.test(option)) ? [] : ['rprivate']),
  ...(options.some((option) => /^r?bind$/.test(option)) ? [] : ['rbind']),
];

const behaviour = (config: ContainerConfig) => ({
  privileged: config.security.privileged,
  user: config.user,
  entrypoint: config.entrypoint,
  command: config.command,
  stdin: config.interactive,
  labels: config.labels,
  stopSignal: config.stopSignal,
  stopTimeout: config.stopTimeout,
  logDriver: config.logDriver,
  logSize: config.logSizeMax ?? 0,
  sdnotifyMode: 'container',
  umask: '0022',
});

/**
 * podman before 6.0 reads newNetworks, 6.0 orderedNetworks. `createNetNS` also without a network: cryopod's containers
 * have a namespace from outside there, and CRIU wants one given at the restore.
 */
function network(config: NetworkConfig) {
  const { mode, target, networks } = config;
  const named = networks.map(({ name, staticIps, staticMac, aliases, interfaceName }, index) => ({
    name,
    static_ips: staticIps,
    ...(staticMac === undefined ? {} : { static_mac: staticMac }),
    aliases,
    interface_name: interfaceName ?? `eth${index}`,
  }));
  return {
    createNetNS: mode === 'bridge' || mode === 'none',
    networkMode: target === undefined ? mode : `${mode}:${target}`,
    ...(named.length === 0
      ? {}
      : {
          newNetworks: Object.fromEntries(named.map(({ name, ...options }) => [name, options])),
          orderedNetworks: named,
        }),
    newPortMappings: config.ports.map((port) => ({
      host_ip: port.hostIp,
      container_port: port.containerPort,
      host_port: port.hostPort,
      range: port.range,
      protocol: port.protocol,
    })),
    dnsServer: config.dnsServers,
    dnsSearch: config.dnsSearch,
    dnsOption: config.dnsOptions,
    hostsAdd: config.addHosts.map(({ host, ip }) => `${host}:${ip}`),
  };
}

/** Where podman keeps volumes unless its host is configured otherwise (containers-storage.conf(5), containers.conf(5)). */
const PODMAN_VOLUMES = '/var/lib/containers/storage/volumes';

interface BundleMount {
  readonly destination: string;
  readonly source?: string;
}

/** What of a bundle's config.json is touched; the rest goes through as it is. */
interface BundleSpec {
  readonly root: object;
  readonly mounts: readonly BundleMount[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly linux: {
    readonly cgroupsPath?: string;
    readonly namespaces: readonly { readonly type: string; readonly path?: string }[];
  };
}

/**
 * The text of an archive's spec.dump, from the text of the bundle's config.json: without what belongs to this host (the
 * container's files, its cgroup, its network namespace), which every importer adds in its own way, and with the
 * annotations that podman looks at. podman restores volumes from where this file says that they lie, so that it names
 * podman's own directory: `podmanVolumes`. Pure. Errors: INTERNAL (not a config.json of cryopod's).
 */
export function specDump(
  { config }: Pick<Container, 'config'>,
  bundleJson: string,
  podmanVolumes: string = PODMAN_VOLUMES,
): string {
  const spec = parseGoJson(bundleJson);
  if (!isBundleSpec(spec)) return fail('INTERNAL', { message: `the config.json of ${config.id} is not one` });
  const { cgroupsPath: _cgroup, ...linux } = spec.linux;
  return goJson({
    ...spec,
    root: { ...spec.root, path: 'rootfs' },
    mounts: spec.mounts.flatMap((mount) => portableMount(config, mount, podmanVolumes)),
    annotations: { ...spec.annotations, ...podmanAnnotations(config) },
    linux: {
      ...linux,
      namespaces: linux.namespaces.map((namespace) =>
        namespace.type === 'network' && config.network.mode !== 'ns' ? { type: 'network' } : namespace,
      ),
    },
  });
}

const isBundleSpec = (value: unknown): value is BundleSpec =>
  typeof value === 'object' && value !== null && 'root' in value && 'mounts' in value && 'linux' in value;

/** A mount of a bundle without this host's paths; the engine's own files are nothing to keep. */
function portableMount(
  { mounts }: ContainerConfig,
  mount: BundleMount,
  podmanVolumes: string,
): BundleMount[] {
  const users = mounts.find(({ destination }) => destination === mount.destination);
  if (users?.type === 'volume') return [{ ...mount, source: `${podmanVolumes}/${users.source}/_data` }];
  const isEngines = ENGINE_FILES.has(mount.destination) || mount.destination === '/dev/shm';
  return users === undefined && isEngines ? [] : [mount];
}

const podmanAnnotations = ({ autoRemove, security }: ContainerConfig): Record<string, string> => ({
  'io.podman.annotations.autoremove': autoRemove ? 'TRUE' : 'FALSE',
  'io.podman.annotations.privileged': security.privileged ? 'TRUE' : 'FALSE',
  ...(security.seccomp === undefined ? {} : { 'io.podman.annotations.seccomp': security.seccomp }),
});
