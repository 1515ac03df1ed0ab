import type { ContainerConfig, DeviceMapping } from '../model/container.ts';
import type { StorePaths } from '../system/store-paths.ts';
import type { OciProcess, OciSeccomp, OciSpec } from './spec/types.ts';

/** What a runtime's binary can do; found by running it once and cached until the binary changes. */
export interface RuntimeProbe {
  /** Its file name: `runc`, `crun`. */
  readonly name: string;
  readonly path: string;
  /** Version number, such as 1.1.5. */
  readonly version: string;
  /** The first line of `--version`. */
  readonly versionText: string;
  /** It can be asked to checkpoint (runc: has the command; crun: was built with CRIU). */
  readonly checkpoint: boolean;
  /** Options that its checkpoint command has. */
  readonly checkpointFlags: readonly string[];
}

export interface RuntimeState {
  readonly status: 'creating' | 'created' | 'running' | 'paused' | 'stopped';
  /** Host PID of init; 0 when stopped. */
  readonly pid: number;
}

export interface CheckpointRequest {
  /** Existing directory for CRIU's images. */
  readonly imagePath: string;
  /** Existing directory in which CRIU runs; dump.log and stats-dump go here. */
  readonly workPath: string;
  readonly leaveRunning: boolean;
  readonly tcpEstablished: boolean;
  readonly fileLocks: boolean;
  readonly extUnixSk?: boolean | undefined;
  readonly shellJob?: boolean | undefined;
  /** Memory only; the container keeps running. */
  readonly preDump?: boolean | undefined;
  /** Relative to imagePath: the images of the pre-dump. */
  readonly parentPath?: string | undefined;
  /**
   * CRIU leaves out the memory that may come after a restore, and ends once it would serve it, which it would do on the
   * socket that its configuration file names by this number. Needs {@link OciRuntime.lazyPages}.
   */
  readonly lazyPages?: { readonly socket: number } | undefined;
  /** Names CRIU's configuration file (criu/options.ts); reaches CRIU through the runtime. */
  readonly criuEnvironment?: Readonly<Record<string, string>> | undefined;
  /** Options that say the same as that file; given to a runtime that has them, since its own word counts more. */
  readonly flags?: readonly string[] | undefined;
  /** Makes CRIU give up; the processes then run as before, unless they are gone already. */
  readonly signal?: AbortSignal | undefined;
}

/** How exec's process is wired to the caller. */
export interface ExecRequest {
  readonly process: OciProcess;
  /** Forward stdin (-i). Otherwise the process reads /dev/null. */
  readonly interactive: boolean;
  /** Start and return; the process keeps running with stdio on /dev/null. */
  readonly detach: boolean;
  /** Told once the process runs. */
  readonly onStarted?: (() => void) | undefined;
}

/**
 * One OCI runtime with one state directory. `create` and `restore` are not here: they go through the monitor
 * (monitor.ts). All failures are CryopodErrors: COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, CHECKPOINT_FAILED, else
 * RUNTIME_FAILED with the runtime's decisive line.
 */
export interface OciRuntime {
  /** As chosen: `runc`, `crun`, or the base name of a path. */
  readonly name: string;
  readonly path: string;
  /** Arguments before the verb: --root, --systemd-cgroup. The monitor passes the same. */
  readonly globalArgs: readonly string[];
  readonly probe: () => Promise<RuntimeProbe>;
  /** Able by itself; whether CRIU works on this kernel is asked elsewhere. */
  readonly canCheckpoint: () => Promise<{ readonly able: boolean; readonly why?: string | undefined }>;
  /** Runs a created container's command. Not idempotent. */
  readonly start: (id: string) => Promise<void>;
  /**
   * Sends a signal (a number) to init, or with `all` to every process. Returns false when there was no running
   * process to receive it (the container has ended or does not exist).
   */
  readonly kill: (id: string, signal: number, options?: { readonly all?: boolean }) => Promise<boolean>;
  /** Removes the runtime's record and cgroup; with `force` kills first. Idempotent: unknown is success. */
  readonly delete: (id: string, options?: { readonly force?: boolean }) => Promise<void>;
  /** Freezes all processes. Fails when not running. */
  readonly pause: (id: string) => Promise<void>;
  readonly resume: (id: string) => Promise<void>;
  /** Undefined when the runtime does not know the container. */
  readonly state: (id: string) => Promise<RuntimeState | undefined>;
  /** Host PIDs of the container's processes (its cgroup). */
  readonly ps: (id: string) => Promise<number[]>;
  /** Runs a process in the container; gives its exit status (0 at once with `detach`). */
  readonly exec: (id: string, request: ExecRequest) => Promise<number>;
  /**
   * Lets CRIU dump the container. After success without leaveRunning its processes are gone; after failure it runs as
   * before (CHECKPOINT_FAILED, with dump.log and its decisive lines). CRIU options that the runtime has no flag for go
   * into the file that {@link CheckpointRequest.criuEnvironment} names.
   */
  readonly checkpoint: (id: string, request: CheckpointRequest) => Promise<void>;
  /** Knows {@link RestoreOptions.lazyPages} and {@link CheckpointRequest.lazyPages}. */
  readonly lazyPages: boolean;
  /** Arguments for the monitor's restore call; the two runtimes differ in them. */
  readonly restoreArgs: (options: RestoreOptions) => readonly string[];
}

export interface RestoreOptions {
  /** A server of pages is there: memory comes while the processes run already. */
  readonly lazyPages?: boolean | undefined;
  /** Directory of CRIU's images. restore.log and stats-restore go into the bundle directory. */
  readonly imagePath: string;
  readonly tcpEstablished: boolean;
  readonly fileLocks: boolean;
  readonly extUnixSk?: boolean | undefined;
  readonly shellJob?: boolean | undefined;
}

/** What the monitor needs to create or restore a container whose bundle (config.json, rootfs) is ready. */
export interface MonitorRequest {
  readonly store: StorePaths;
  readonly runtime: OciRuntime;
  /** Of it: id, name, tty, interactive, logDriver, logPath, logSizeMax. */
  readonly config: ContainerConfig;
  /**
   * argv (absolute program first) that conmon runs once the container has ended — and also when creating it failed, so
   * it must cope with a container that never ran.
   */
  readonly exitCommand: readonly string[];
  /** File descriptors that the monitor keeps open as long as the container runs: sockets bound to published ports. */
  readonly inherit?: readonly number[] | undefined;
  /** Ends what is being created or restored; it then fails. */
  readonly signal?: AbortSignal | undefined;
}

export interface RestoreRequest extends MonitorRequest {
  readonly restore: RestoreOptions;
  /** As in {@link CheckpointRequest}. */
  readonly criuEnvironment?: Readonly<Record<string, string>> | undefined;
}

export interface MonitoredContainer {
  /** Host PID of init. */
  readonly pid: number;
  readonly monitorPid: number;
}

export interface ContainerExit {
  readonly code: number;
  /** Milliseconds since the epoch. */
  readonly finishedAt: number;
}

/** A user with groups, resolved against the container's own /etc/passwd and /etc/group. */
export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  /** Home directory, `/` where none is known. */
  readonly home: string;
  /** Name in /etc/passwd, or the number. */
  readonly name: string;
}

/** A mount with its host side resolved: the source of a volume is a host directory here. */
export interface ResolvedMount {
  readonly type: 'bind' | 'volume' | 'tmpfs';
  /** Absolute host path; empty for tmpfs. */
  readonly source: string;
  readonly destination: string;
  readonly options: readonly string[];
}

/** `private` and `host`, or the path of a namespace to join. */
export type NamespaceChoice = 'private' | 'host' | { readonly path: string };

/** A device node to make in the container; major and minor were read from the host's node. */
export interface ResolvedDevice extends DeviceMapping {
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** What the host offers; read once by `hostFacts()`. */
export interface HostFacts {
  readonly cgroupVersion: 1 | 2;
  /** Usable controllers: memory, cpu, cpuset, pids, devices … */
  readonly controllers: readonly string[];
  /** Swap can be limited (v1: memsw files; v2: memory.swap.max). */
  readonly swapLimit: boolean;
  /** Capability names (CAP_…) of this process's bounding set. */
  readonly capabilities: readonly string[];
  /** May raise hard limits (CAP_SYS_RESOURCE). */
  readonly raiseLimits: boolean;
  /** Current hard limits of this process, Infinity for unlimited; keys as in {@link Ulimit.name}. */
  readonly hardLimits: Readonly<Record<string, number>>;
  /** fs.nr_open: no process can have a higher RLIMIT_NOFILE. */
  readonly maxOpenFiles: number;
  /** /dev/mqueue is there: the host's POSIX message queues can be shared. */
  readonly messageQueues: boolean;
}

/** Everything that {@link buildSpec} needs beside the container's config. */
export interface SpecFacts {
  readonly host: HostFacts;
  /** Absolute path of the mounted root file system. */
  readonly rootfs: string;
  readonly user: ResolvedUser;
  /** User's and image's mounts and volumes, in order. */
  readonly mounts: readonly ResolvedMount[];
  /** Host directory bound to /dev/shm (a tmpfs of config.shmSize that the engine mounts); undefined: a private tmpfs. */
  readonly shm?: string | undefined;
  /** Host files bound to these places. */
  readonly files: {
    readonly hosts?: string | undefined;
    readonly resolvConf?: string | undefined;
    readonly hostname?: string | undefined;
    /** /run/.containerenv */
    readonly containerEnv?: string | undefined;
  };
  readonly namespaces: {
    readonly network: NamespaceChoice;
    readonly pid: NamespaceChoice;
    readonly ipc: NamespaceChoice;
    readonly uts: NamespaceChoice;
  };
  readonly devices: readonly ResolvedDevice[];
  /** The seccomp profile as OCI (`seccompFor()` gives it), undefined for unconfined. */
  readonly seccomp?: OciSeccomp | undefined;
}

export interface BuiltSpec {
  readonly spec: OciSpec;
  /** What the host does not allow and the container goes without. For the log, not fatal. */
  readonly warnings: readonly string[];
}

/** An open connection to a container's terminal or pipes. */
export interface Attachment {
  /** `ended`: the container closed its side; `detached`: the user typed the detach keys or close() was called. */
  readonly done: Promise<'ended' | 'detached'>;
  /** Restores the terminal and lets go. Idempotent. */
  readonly close: () => void;
}

export interface AttachRequest {
  readonly store: StorePaths;
  readonly id: string;
  readonly tty: boolean;
  /** Forward stdin. */
  readonly stdin: boolean;
  /** Default true each. */
  readonly stdout?: boolean | undefined;
  readonly stderr?: boolean | undefined;
  /** As podman's --detach-keys; empty disables. Default ctrl-p,ctrl-q. */
  readonly detachKeys?: string | undefined;
}

export interface LogLine {
  /** As conmon wrote it: RFC 3339 with nanoseconds and the local zone's offset. */
  readonly time: string;
  readonly stream: 'stdout' | 'stderr';
  /** Content with its line break; a partial last line has none. */
  readonly text: string;
}

export interface LogQuery {
  readonly follow: boolean;
  /** Lines from the end; undefined for all. */
  readonly tail?: number | undefined;
  /** Milliseconds since the epoch. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** Asked while following at the end of the file: true once nothing more will be written. */
  readonly ended?: (() => boolean | Promise<boolean>) | undefined;
  readonly signal?: AbortSignal | undefined;
}
