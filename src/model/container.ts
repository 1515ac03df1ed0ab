import type { AttachedNetwork, NetworkStatus, PortMapping } from './network.ts';

export type ContainerStatus = 'created' | 'running' | 'paused' | 'exited';

/** How a namespace of the container comes about. `target` is a container ID (mode container) or a path (mode ns). */
export interface NamespaceMode {
  readonly mode: 'private' | 'host' | 'shareable' | 'none' | 'container' | 'ns';
  readonly target?: string | undefined;
}

/** A mount that the user or the image asked for. `source` is a host path, a volume name, or empty for tmpfs. */
export interface ContainerMount {
  readonly type: 'bind' | 'volume' | 'tmpfs';
  readonly source: string;
  readonly destination: string;
  /** Mount options as given: ro, rw, z, Z, U, rbind, nosuid, size=64m, mode=1777 … */
  readonly options: readonly string[];
  /** A volume made for this container alone; it goes with `rm -v` or --rm. */
  readonly anonymous?: boolean | undefined;
}

export interface DeviceMapping {
  readonly hostPath: string;
  readonly containerPath: string;
  /** Some of `rwm`. */
  readonly permissions: string;
}

/** soft and hard limit; -1 is unlimited, as in podman's --ulimit. */
export interface Ulimit {
  /** Without the RLIMIT_ prefix, lower case: nofile. */
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

/** Limits; undefined means no limit was asked for. */
export interface ResourceLimits {
  /** Bytes. */
  readonly memory?: number | undefined;
  /** Bytes, memory plus swap; -1 is unlimited. */
  readonly memorySwap?: number | undefined;
  /** Fractions of CPUs. */
  readonly cpus?: number | undefined;
  /** A list such as 0-1,3. */
  readonly cpusetCpus?: string | undefined;
  /** -1 is unlimited. */
  readonly pids?: number | undefined;
  readonly ulimits: readonly Ulimit[];
}

export interface SecurityOptions {
  readonly privileged: boolean;
  /** Upper case with CAP_, or ALL. */
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly noNewPrivileges: boolean;
  /** `unconfined`, a profile path, or undefined for the default. */
  readonly seccomp?: string | undefined;
  readonly apparmor?: string | undefined;
  readonly mask: readonly string[];
  /** Paths, or ALL. */
  readonly unmask: readonly string[];
  readonly readOnlyRootfs: boolean;
}

export interface NetworkConfig {
  readonly mode: 'bridge' | 'none' | 'host' | 'container' | 'ns';
  /** Container ID (mode container) or namespace path (mode ns). */
  readonly target?: string | undefined;
  /** Networks of mode bridge, in order; eth0, eth1 … */
  readonly networks: readonly AttachedNetwork[];
  readonly ports: readonly PortMapping[];
  readonly dnsServers: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
  /** Lines for /etc/hosts. */
  readonly addHosts: readonly { readonly host: string; readonly ip: string }[];
}

/** What does not change after `create` (but for the name, by `rename`). Stored as JSON. */
export interface ContainerConfig {
  readonly id: string;
  readonly name: string;
  /** ISO 8601 with nanoseconds as zeros, UTC. */
  readonly created: string;
  /** Config digest without `sha256:`, and the name that the user gave, fully qualified. */
  readonly imageId: string;
  readonly imageName: string;
  /** The image's config digest of its layers, lowest first: names of directories in the layer store (chain IDs). */
  readonly layers: readonly string[];
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  /** NAME=value, final order. */
  readonly env: readonly string[];
  /** As given (`1000:1000`, `postgres`), or the image's, or empty for root. */
  readonly user: string;
  readonly workdir: string;
  readonly hostname: string;
  readonly tty: boolean;
  /** stdin is kept open (-i). */
  readonly interactive: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly mounts: readonly ContainerMount[];
  readonly devices: readonly DeviceMapping[];
  readonly network: NetworkConfig;
  readonly ipc: NamespaceMode;
  readonly pid: NamespaceMode;
  readonly uts: NamespaceMode;
  readonly security: SecurityOptions;
  readonly resources: ResourceLimits;
  /** Bytes of /dev/shm. */
  readonly shmSize: number;
  /** Number. */
  readonly stopSignal: number;
  /** Seconds. */
  readonly stopTimeout: number;
  /** --rm */
  readonly autoRemove: boolean;
  readonly logDriver: 'k8s-file' | 'none';
  /** Path of the log file; empty with driver none. */
  readonly logPath: string;
  /** Bytes after which conmon rotates; undefined for no limit. */
  readonly logSizeMax?: number | undefined;
  /** Runtime name (`runc`, `crun`) or absolute path. */
  readonly runtime: string;
  readonly cgroupManager: 'cgroupfs' | 'systemd';
  /** Its cgroup is named by this instead of its ID, which a container of another store on this host has too. */
  readonly cgroup?: string | undefined;
  /** The command line that made it, for inspect. */
  readonly createCommand: readonly string[];
}

/** One process for the whole uptime. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Its start time in clock ticks since boot, so that a reused PID is not taken for it. */
  readonly pidStart: string;
}

/** Where a container went whose new host has not said whether it runs there: it must not run here. */
export interface HandedOver {
  /** Names the other host in messages. */
  readonly to: string;
  /** 32 hexadecimal digits: the other side tells by it which move is asked about. */
  readonly token: string;
  /** argv of the link to the other host. */
  readonly command: readonly string[];
  readonly since: string;
  /** Of the move, for its end: it stays here, stopped. */
  readonly keepSource: boolean;
  /** Of the checkpoint, for its restore here. */
  readonly tcpEstablished: boolean;
  readonly fileLocks: boolean;
}

/** What changes while the container lives. Stored as JSON beside the config; one transaction a change. */
export interface ContainerState {
  readonly status: ContainerStatus;
  /** Host PID of the container's init; 0 when not running. */
  readonly pid: number;
  /** Start time of that PID in clock ticks since boot, so that a reused PID is not taken for it. */
  readonly pidStart: string;
  readonly monitorPid: number;
  readonly startedAt?: string | undefined;
  readonly finishedAt?: string | undefined;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** Boot during which status was written; another boot ID means that nothing of it runs any more. */
  readonly bootId: string;
  /** A complete local checkpoint lies in the container's directory and the container is stopped because of it. */
  readonly checkpointed: boolean;
  readonly checkpointedAt?: string | undefined;
  /** Set while a checkpoint directory exists (also after --keep and --leave-running). */
  readonly checkpointPath?: string | undefined;
  readonly checkpointLog?: string | undefined;
  /** Name of the checkpoint of the history that the one in the checkpoint directory is. */
  readonly checkpointTag?: string | undefined;
  /** When the last archive was made of it, and where it lay; undefined path for one that went into a pipe. */
  readonly exportedAt?: string | undefined;
  readonly exportPath?: string | undefined;
  /** Name of the pre-checkpoint in the container's directory that the archive at that path builds on. */
  readonly exportPrevious?: string | undefined;
  /**
   * Names that CRIU gave files which processes had open under a deleted one. They lie among the container's files, as it
   * sees them, until a restore takes them away, or a start.
   */
  readonly criuNames?: readonly string[] | undefined;
  readonly restored: boolean;
  readonly restoredAt?: string | undefined;
  readonly restoreLog?: string | undefined;
  /** Memory still comes after a lazy restore: what watches over it, and what serves it. Undefined once all is in. */
  readonly pages?: { readonly watcher: ProcessIdentity; readonly server: ProcessIdentity } | undefined;
  /** It was handed over to another host, and it is in doubt whether it runs there. */
  readonly handedOver?: HandedOver | undefined;
  /** Why the container was stopped, where that was not its own end. */
  readonly error?: string | undefined;
  /** Path of the network namespace file while there is one. */
  readonly netns?: string | undefined;
  readonly networks: Readonly<Record<string, NetworkStatus>>;
  /** Published ports with the host ports that were chosen; undefined while there is no network. */
  readonly ports?: readonly PortMapping[] | undefined;
  /** The address is kept and packets to it are dropped (between a checkpoint and its restore). */
  readonly networkHeld: boolean;
}

export interface Container {
  readonly config: ContainerConfig;
  readonly state: ContainerState;
}

export const STOPPED_STATE: ContainerState = {
  status: 'created',
  pid: 0,
  pidStart: '',
  monitorPid: 0,
  exitCode: 0,
  oomKilled: false,
  bootId: '',
  checkpointed: false,
  restored: false,
  networks: {},
  networkHeld: false,
};
