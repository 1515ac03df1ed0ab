import type { Container, NamespaceMode, SecurityOptions } from '../../../model/container.ts';
import type { InspectFacts, ProcessFacts } from './facts.ts';
import { type Fields, nilIfEmpty, omitEmpty } from './fields.ts';
import { bindsData, tmpfsData } from './mounts.ts';
import { networkMode, portBindings } from './network.ts';

const modeText = ({ mode, target }: NamespaceMode): string =>
  mode === 'container' || mode === 'ns' ? `${mode}:${target ?? ''}` : mode;

/** podman's default for --pids-limit. */
const DEFAULT_PIDS = 2048;
/** Microseconds: the period that --cpus is a share of. */
const CPU_PERIOD = 100_000;

/** `HostConfig`: how the container is tied to the host. Pure. */
export function hostConfigData(container: Container, facts: InspectFacts): Fields {
  const { config } = container;
  const { network, security } = config;
  return {
    Binds: bindsData(config.mounts),
    CgroupManager: config.cgroupManager,
    CgroupMode: facts.process.cgroupNamespace,
    ContainerIDFile: '',
    LogConfig: {
      Type: config.logDriver,
      Config: nilIfEmpty({}),
      Path: config.logPath,
      Tag: '',
      Size: `${config.logSizeMax ?? 0}B`,
    },
    NetworkMode: networkMode(network),
    PortBindings: portBindings(network.ports),
    RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
    AutoRemove: config.autoRemove,
    AutoRemoveImage: false,
    Annotations: nilIfEmpty(facts.process.annotations),
    VolumeDriver: '',
    VolumesFrom: nilIfEmpty([]),
    CapAdd: security.capAdd,
    CapDrop: security.capDrop,
    Dns: network.dnsServers,
    DnsOptions: network.dnsOptions,
    DnsSearch: network.dnsSearch,
    ExtraHosts: network.addHosts.map(({ host, ip }) => `${host}:${ip}`),
    HostsFile: '',
    GroupAdd: [],
    IpcMode: modeText(config.ipc),
    Cgroup: '',
    Cgroups: 'default',
    Links: nilIfEmpty([]),
    OomScoreAdj: 0,
    PidMode: modeText(config.pid),
    Privileged: security.privileged,
    PublishAllPorts: false,
    ReadonlyRootfs: security.readOnlyRootfs,
    SecurityOpt: securityOptions(security),
    Tmpfs: tmpfsData(config.mounts),
    UTSMode: modeText(config.uts),
    UsernsMode: '',
    ShmSize: config.shmSize,
    Runtime: 'oci',
    ConsoleSize: [0, 0],
    Isolation: '',
    ...limitsData(container, facts.process),
  };
}

const securityOptions = ({ noNewPrivileges, seccomp, apparmor, unmask }: SecurityOptions): string[] => [
  ...(noNewPrivileges ? ['no-new-privileges'] : []),
  ...(seccomp === undefined ? [] : [`seccomp=${seccomp}`]),
  ...(apparmor === undefined ? [] : [`apparmor=${apparmor}`]),
  ...(unmask.some((path) => path.toUpperCase() === 'ALL') ? ['unmask=all'] : []),
];

function limitsData({ config }: Container, { rlimits }: ProcessFacts): Fields {
  const { memory, memorySwap, cpus, cpusetCpus, pids } = config.resources;
  const quota = Math.round((cpus ?? 0) * CPU_PERIOD);
  return omitEmpty(
    {
      CpuShares: 0,
      Memory: memory ?? 0,
      NanoCpus: quota * 10_000,
      CgroupParent: '',
      BlkioWeight: 0,
      BlkioWeightDevice: nilIfEmpty([]),
      BlkioDeviceReadBps: nilIfEmpty([]),
      BlkioDeviceWriteBps: nilIfEmpty([]),
      BlkioDeviceReadIOps: nilIfEmpty([]),
      BlkioDeviceWriteIOps: nilIfEmpty([]),
      CpuPeriod: cpus === undefined ? 0 : CPU_PERIOD,
      CpuQuota: quota,
      CpuRealtimePeriod: 0,
      CpuRealtimeRuntime: 0,
      CpusetCpus: cpusetCpus ?? '',
      CpusetMems: '',
      Devices: config.devices.map(({ hostPath, containerPath, permissions }) => ({
        PathOnHost: hostPath,
        PathInContainer: containerPath,
        CgroupPermissions: permissions,
      })),
      DiskQuota: 0,
      KernelMemory: 0,
      MemoryReservation: 0,
      // Memory and swap together: twice the memory unless told.
      MemorySwap: memorySwap ?? (memory ?? 0) * 2,
      MemorySwappiness: -1,
      OomKillDisable: false,
      Init: false,
      PidsLimit: pids ?? DEFAULT_PIDS,
      Ulimits: rlimits.map(({ type, soft, hard }) => ({ Name: type, Soft: soft, Hard: hard })),
      CpuCount: 0,
      CpuPercent: 0,
      IOMaximumIOps: 0,
      IOMaximumBandwidth: 0,
      CgroupConf: nilIfEmpty({}),
    },
    'Init',
  );
}
