import type {
  ContainerConfig,
  ContainerMount,
  DeviceMapping,
  NamespaceMode,
  NetworkConfig,
  ResourceLimits,
  SecurityOptions,
} from '../../model/container.ts';
import { fail } from '../../model/errors.ts';
import type { Image, ImageConfig } from '../../model/image.ts';

/** What `run` and `create` ask for, parsed but not yet merged with the image. Undefined leaves the choice to the image. */
export interface CreateRequest {
  /** As typed: a name or an ID. */
  readonly image: string;
  readonly name: string | undefined;
  /** Arguments after IMAGE. */
  readonly command: readonly string[];
  /** An empty array clears the image's entrypoint. */
  readonly entrypoint: readonly string[] | undefined;
  readonly env: readonly string[];
  readonly user: string | undefined;
  readonly workdir: string | undefined;
  readonly hostname: string | undefined;
  readonly tty: boolean;
  readonly interactive: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly mounts: readonly ContainerMount[];
  readonly devices: readonly DeviceMapping[];
  readonly network: NetworkConfig;
  readonly publishAll: boolean;
  readonly ipc: NamespaceMode;
  readonly pid: NamespaceMode;
  readonly uts: NamespaceMode;
  readonly security: SecurityOptions;
  readonly resources: ResourceLimits;
  /** Bytes. */
  readonly shmSize: number | undefined;
  readonly stopSignal: number | undefined;
  /** Seconds. */
  readonly stopTimeout: number | undefined;
  readonly autoRemove: boolean;
  readonly logDriver: 'k8s-file' | 'none';
  readonly logPath: string | undefined;
  readonly logSizeMax: number | undefined;
  readonly createCommand: readonly string[];
}

/** What the engine has settled before the merge. */
export interface CreateFacts {
  readonly id: string;
  readonly name: string;
  readonly created: string;
  readonly image: Image;
  readonly imageConfig: ImageConfig;
  readonly imageName: string;
  readonly runtime: string;
  readonly cgroupManager: 'cgroupfs' | 'systemd';
  readonly defaultLogPath: string;
  /** Name for an anonymous volume; called once for each. */
  readonly anonymousVolumeName: () => string;
  readonly signalNumber: (name: string) => number;
}

/** podman's defaults: 64000k of /dev/shm, SIGTERM, 10 s. */
const DEFAULT_SHM_SIZE = 65_536_000;
const DEFAULT_STOP_SIGNAL = 15;
const DEFAULT_STOP_TIMEOUT = 10;

/** Merges the request with the image's config into what a container is. Pure. Errors: USAGE. */
export function containerConfig(request: CreateRequest, facts: CreateFacts): ContainerConfig {
  const image = facts.imageConfig.config ?? {};
  const entrypoint = request.entrypoint ?? image.Entrypoint ?? [];
  const command = commandOf(request, image.Cmd ?? []);
  if (entrypoint.length + command.length === 0) {
    fail('USAGE', {
      message: 'no command or entrypoint provided, and no CMD or ENTRYPOINT from image',
      hint: 'Give a command after the image name.',
    });
  }
  return {
    id: facts.id,
    name: facts.name,
    created: facts.created,
    imageId: facts.image.id,
    imageName: facts.imageName,
    layers: facts.image.layers,
    entrypoint,
    command,
    env: mergeEnv(image.Env ?? [], request.env),
    user: request.user ?? image.User ?? '',
    workdir:
      request.workdir ?? (image.WorkingDir === undefined || image.WorkingDir === '' ? '/' : image.WorkingDir),
    hostname: hostnameOf(request, facts.id),
    tty: request.tty,
    interactive: request.interactive,
    labels: { ...(image.Labels ?? {}), ...request.labels },
    annotations: request.annotations,
    mounts: mergeMounts(Object.keys(image.Volumes ?? {}), request.mounts, facts.anonymousVolumeName),
    devices: request.devices,
    network: networkOf(request, Object.keys(image.ExposedPorts ?? {})),
    ipc: request.ipc,
    pid: request.pid,
    uts: request.uts,
    security: request.security,
    resources: request.resources,
    shmSize: request.shmSize ?? DEFAULT_SHM_SIZE,
    stopSignal: request.stopSignal ?? imageStopSignal(image.StopSignal, facts),
    stopTimeout: request.stopTimeout ?? DEFAULT_STOP_TIMEOUT,
    autoRemove: request.autoRemove,
    logDriver: request.logDriver,
    logPath: request.logDriver === 'none' ? '' : (request.logPath ?? facts.defaultLogPath),
    ...(request.logSizeMax === undefined ? {} : { logSizeMax: request.logSizeMax }),
    runtime: facts.runtime,
    cgroupManager: facts.cgroupManager,
    createCommand: request.createCommand,
  };
}

/** A new entrypoint drops the image's command, as in podman. */
function commandOf(request: CreateRequest, imageCommand: readonly string[]): readonly string[] {
  if (request.command.length > 0) return request.command;
  return request.entrypoint === undefined ? imageCommand : [];
}

const imageStopSignal = (name: string | undefined, facts: CreateFacts): number =>
  name === undefined || name === '' ? DEFAULT_STOP_SIGNAL : facts.signalNumber(name);

function hostnameOf(request: CreateRequest, id: string): string {
  if (request.hostname !== undefined && request.uts.mode === 'host') {
    fail('USAGE', {
      message: 'cannot set hostname when running in the host UTS namespace: invalid configuration',
    });
  }
  return request.hostname ?? id.slice(0, 12);
}

/** The image's variables, then the user's; a later NAME replaces an earlier one in place. */
function mergeEnv(imageEnv: readonly string[], userEnv: readonly string[]): string[] {
  const merged = new Map<string, string>();
  for (const entry of [...imageEnv, ...userEnv]) merged.set(entry.split('=', 1)[0] ?? entry, entry);
  return [...merged.values()];
}

/** The image's declared volumes become anonymous ones, unless the user mounts something at the same place. */
function mergeMounts(
  imageVolumes: readonly string[],
  requested: readonly ContainerMount[],
  anonymousName: () => string,
): ContainerMount[] {
  const named = requested.map((mount) =>
    mount.type === 'volume' && mount.source === ''
      ? { ...mount, source: anonymousName(), anonymous: true }
      : mount,
  );
  const taken = new Set<string>();
  for (const { destination } of named) {
    if (taken.has(destination)) fail('USAGE', { message: `${destination}: duplicate mount destination` });
    taken.add(destination);
  }
  const declared = imageVolumes
    .map((path) => (path.length > 1 ? path.replace(/\/+$/, '') : path))
    .filter((destination) => !taken.has(destination))
    .map(
      (destination): ContainerMount => ({
        type: 'volume',
        source: anonymousName(),
        destination,
        options: [],
        anonymous: true,
      }),
    );
  return [...named, ...declared];
}

function networkOf(request: CreateRequest, exposed: readonly string[]): NetworkConfig {
  if (!request.publishAll) return request.network;
  const published = exposed.map((port) => {
    const [number, protocol = 'tcp'] = port.split('/');
    if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp') {
      return fail('USAGE', { message: `the image exposes ${port}: unknown protocol ${protocol}` });
    }
    return { hostIp: '', containerPort: Number(number), hostPort: 0, range: 1, protocol } as const;
  });
  return { ...request.network, ports: [...request.network.ports, ...published] };
}
