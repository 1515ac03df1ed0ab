import type {
  Container,
  ContainerConfig,
  ContainerMount,
  ContainerState,
  NamespaceMode,
} from '../../model/container.ts';
import type { NetworkStatus, PortMapping } from '../../model/network.ts';

/** What inspect needs beside the container's record. */
export interface InspectFacts {
  readonly bundle: string;
  readonly runtimePath: string;
  readonly monitorPidFile: string;
  readonly pidFile: string;
  readonly runDirectory: string;
  readonly overlay: {
    readonly lower: readonly string[];
    readonly upper: string;
    readonly work: string;
    readonly merged: string;
  };
  /** Host directories of volumes by name. */
  readonly volumes: Readonly<Record<string, string>>;
  /** Bytes; only with --size. */
  readonly sizeRw?: number | undefined;
  readonly sizeRootFs?: number | undefined;
}

const ZERO_TIME = '0001-01-01T00:00:00Z';

const modeText = ({ mode, target }: NamespaceMode): string =>
  mode === 'container' || mode === 'ns' ? `${mode}:${target ?? ''}` : mode;

/** `80/tcp` to host bindings, as podman's NetworkSettings.Ports and HostConfig.PortBindings have them. Pure. */
export function portBindings(
  ports: readonly PortMapping[],
): Record<string, { HostIp: string; HostPort: string }[]> {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const { hostIp, hostPort, containerPort, protocol, range } of ports) {
    for (let offset = 0; offset < range; offset += 1) {
      const key = `${containerPort + offset}/${protocol}`;
      bindings[key] = [...(bindings[key] ?? []), { HostIp: hostIp, HostPort: String(hostPort + offset) }];
    }
  }
  return bindings;
}

/** `podman container inspect`'s JSON for one container. Pure. */
export function inspectData({ config, state }: Container, facts: InspectFacts): Record<string, unknown> {
  const [path = '', ...args] = [...config.entrypoint, ...config.command];
  return {
    Id: config.id,
    Created: config.created,
    Path: path,
    Args: args,
    State: stateData(config, state, facts),
    Image: config.imageId,
    ImageName: config.imageName,
    Rootfs: '',
    ResolvConfPath: `${facts.runDirectory}/resolv.conf`,
    HostnamePath: `${facts.runDirectory}/hostname`,
    HostsPath: `${facts.runDirectory}/hosts`,
    StaticDir: facts.bundle,
    OCIConfigPath: `${facts.bundle}/config.json`,
    OCIRuntime: config.runtime,
    ConmonPidFile: facts.monitorPidFile,
    PidFile: facts.pidFile,
    LogPath: config.logPath,
    LogTag: '',
    Name: config.name,
    RestartCount: 0,
    Driver: 'overlay',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: config.security.apparmor ?? '',
    EffectiveCaps: null,
    BoundingCaps: null,
    ExecIDs: [],
    GraphDriver: {
      Name: 'overlay',
      Data: {
        LowerDir: facts.overlay.lower.join(':'),
        MergedDir: facts.overlay.merged,
        UpperDir: facts.overlay.upper,
        WorkDir: facts.overlay.work,
      },
    },
    ...(facts.sizeRw === undefined ? {} : { SizeRw: facts.sizeRw, SizeRootFs: facts.sizeRootFs }),
    Mounts: config.mounts.map((mount) => mountData(mount, facts)),
    Dependencies: [],
    NetworkSettings: networkData(config, state),
    Namespace: '',
    IsInfra: false,
    Config: configData(config),
    HostConfig: hostConfigData(config),
  };
}

function stateData(
  config: ContainerConfig,
  state: ContainerState,
  facts: InspectFacts,
): Record<string, unknown> {
  return {
    OciVersion: '1.0.2',
    Status: state.status,
    Running: state.status === 'running',
    Paused: state.status === 'paused',
    Restarting: false,
    OOMKilled: state.oomKilled,
    Dead: false,
    Pid: state.pid,
    ConmonPid: state.monitorPid,
    ExitCode: state.exitCode,
    Error: '',
    StartedAt: state.startedAt ?? ZERO_TIME,
    FinishedAt: state.finishedAt ?? ZERO_TIME,
    Checkpointed: state.checkpointed,
    ...(state.checkpointedAt === undefined ? {} : { CheckpointedAt: state.checkpointedAt }),
    ...(state.checkpointPath === undefined ? {} : { CheckpointPath: state.checkpointPath }),
    ...(state.checkpointLog === undefined ? {} : { CheckpointLog: state.checkpointLog }),
    Restored: state.restored,
    ...(state.restoredAt === undefined ? {} : { RestoredAt: state.restoredAt }),
    ...(state.restoreLog === undefined ? {} : { RestoreLog: state.restoreLog }),
    CgroupPath:
      config.cgroupManager === 'systemd'
        ? `/cryopod.slice/cryopod-${config.id}.scope`
        : `/cryopod-${config.id}`,
    NetworkHeld: state.networkHeld,
    RuntimePath: facts.runtimePath,
  };
}

function mountData(mount: ContainerMount, facts: InspectFacts): Record<string, unknown> {
  const isVolume = mount.type === 'volume';
  return {
    Type: mount.type,
    ...(isVolume ? { Name: mount.source } : {}),
    Source: isVolume ? (facts.volumes[mount.source] ?? '') : mount.source,
    Destination: mount.destination,
    Driver: isVolume ? 'local' : '',
    Mode: '',
    Options: mount.options.filter((option) => option !== 'ro' && option !== 'rw'),
    RW: !mount.options.includes('ro'),
    Propagation: mount.options.find((option) => /^r?(private|shared|slave)$/.test(option)) ?? 'rprivate',
  };
}

interface Address {
  readonly IPAddress: string;
  readonly IPPrefixLen: number;
  readonly Gateway: string;
  readonly MacAddress: string;
}

const NO_ADDRESS: Address = { IPAddress: '', IPPrefixLen: 0, Gateway: '', MacAddress: '' };

function addressOf(status: NetworkStatus | undefined): Address {
  const [link] = Object.values(status?.interfaces ?? {});
  if (link === undefined) return NO_ADDRESS;
  const subnet = link.subnets.find(({ ipnet }) => !ipnet.includes(':'));
  const [ip = '', length = '0'] = subnet?.ipnet.split('/') ?? [];
  return {
    IPAddress: ip,
    IPPrefixLen: Number(length),
    Gateway: subnet?.gateway ?? '',
    MacAddress: link.mac_address,
  };
}

function networkData({ network }: ContainerConfig, state: ContainerState): Record<string, unknown> {
  const networks = Object.fromEntries(
    network.networks.map(({ name, aliases, staticIps, staticMac }) => [
      name,
      {
        EndpointID: '',
        ...addressOf(state.networks[name]),
        GlobalIPv6Address: '',
        GlobalIPv6PrefixLen: 0,
        NetworkID: name,
        DriverOpts: null,
        IPAMConfig:
          staticIps.length === 0 && staticMac === undefined
            ? null
            : { ...(staticIps[0] === undefined ? {} : { IPv4Address: staticIps[0] }) },
        Links: null,
        Aliases: [...aliases],
      },
    ]),
  );
  const [first] = network.networks;
  return {
    EndpointID: '',
    ...addressOf(first === undefined ? undefined : state.networks[first.name]),
    Bridge: '',
    SandboxID: '',
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    IPv6Gateway: '',
    Ports: portBindings(state.ports ?? network.ports),
    SandboxKey: state.netns ?? '',
    Networks: networks,
  };
}

function configData(config: ContainerConfig): Record<string, unknown> {
  return {
    Hostname: config.hostname,
    Domainname: '',
    User: config.user,
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    Tty: config.tty,
    OpenStdin: config.interactive,
    StdinOnce: false,
    Env: config.env,
    Cmd: config.command,
    Image: config.imageName,
    Volumes: null,
    WorkingDir: config.workdir,
    Entrypoint: config.entrypoint.join(' '),
    OnBuild: null,
    Labels: config.labels,
    Annotations: config.annotations,
    StopSignal: config.stopSignal,
    CreateCommand: config.createCommand,
    Umask: '0022',
    StopTimeout: config.stopTimeout,
  };
}

function hostConfigData(config: ContainerConfig): Record<string, unknown> {
  const { security, resources, network } = config;
  const networkMode =
    network.mode === 'container' || network.mode === 'ns'
      ? `${network.mode}:${network.target ?? ''}`
      : network.mode;
  return {
    Binds: config.mounts
      .filter(({ type }) => type !== 'tmpfs')
      .map(({ source, destination, options }) =>
        [source, destination, ...(options.length === 0 ? [] : [options.join(',')])].join(':'),
      ),
    CgroupManager: config.cgroupManager,
    CgroupMode: 'private',
    ContainerIDFile: '',
    LogConfig: {
      Type: config.logDriver,
      Config: null,
      Path: config.logPath,
      Tag: '',
      Size: String(config.logSizeMax ?? 0),
    },
    NetworkMode: networkMode,
    PortBindings: portBindings(network.ports),
    RestartPolicy: { Name: '', MaximumRetryCount: 0 },
    AutoRemove: config.autoRemove,
    VolumeDriver: '',
    VolumesFrom: null,
    CapAdd: security.capAdd,
    CapDrop: security.capDrop,
    Dns: network.dnsServers,
    DnsOptions: network.dnsOptions,
    DnsSearch: network.dnsSearch,
    ExtraHosts: network.addHosts.map(({ host, ip }) => `${host}:${ip}`),
    GroupAdd: [],
    IpcMode: modeText(config.ipc),
    Cgroup: '',
    Cgroups: 'default',
    Links: null,
    OomScoreAdj: 0,
    PidMode: modeText(config.pid),
    Privileged: security.privileged,
    PublishAllPorts: false,
    ReadonlyRootfs: security.readOnlyRootfs,
    SecurityOpt: [],
    Tmpfs: Object.fromEntries(
      config.mounts
        .filter(({ type }) => type === 'tmpfs')
        .map(({ destination, options }) => [destination, options.join(',')]),
    ),
    UTSMode: modeText(config.uts),
    UsernsMode: '',
    ShmSize: config.shmSize,
    Runtime: 'oci',
    NanoCpus: Math.round((resources.cpus ?? 0) * 1e9),
    Memory: resources.memory ?? 0,
    MemorySwap: resources.memorySwap ?? 0,
    CpusetCpus: resources.cpusetCpus ?? '',
    PidsLimit: resources.pids ?? 0,
    Devices: config.devices.map(({ hostPath, containerPath, permissions }) => ({
      PathOnHost: hostPath,
      PathInContainer: containerPath,
      CgroupPermissions: permissions,
    })),
    Ulimits: resources.ulimits.map(({ name, soft, hard }) => ({
      Name: `RLIMIT_${name.toUpperCase()}`,
      Soft: soft,
      Hard: hard,
    })),
  };
}
