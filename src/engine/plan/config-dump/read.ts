import * as v from 'valibot';
import type { ContainerConfig } from '../../../model/container.ts';
import { fail } from '../../../model/errors.ts';
import { splitAnnotations } from './annotations.ts';
import { podmanMounts } from './mounts.ts';
import { podmanNetwork } from './network.ts';
import { ownConfig, type PortableConfig } from './own-config.ts';
import { podmanArguments, podmanEnv, utcTime } from './process.ts';
import { podmanResources } from './resources.ts';
import { type Risk, risksOf } from './risks.ts';
import {
  type ConfigDump,
  checked,
  malformed,
  parseConfigDump,
  parseSpecDump,
  type SpecDump,
} from './schema.ts';
import { podmanDevices, podmanNamespaces, podmanSecurity } from './security.ts';

export interface ImportedConfig {
  /**
   * The container as the archive describes it. `logPath` is empty and `cgroupManager` is the other host's: the importer
   * sets both. An anonymous volume whose source is empty is still to be named; it has no content in the archive.
   */
  readonly config: Omit<ContainerConfig, 'layers'>;
  /** What the user must agree to before anything is created. */
  readonly risks: readonly Risk[];
  /** What the archive asks for and no import gives: `the annotation org.criu.config`, `hooks of the OCI runtime`. */
  readonly dropped: readonly string[];
}

/**
 * Reads config.dump and spec.dump of an archive of podman's (3.4 to 6.0) or cryopod's. Both are untrusted: all is
 * checked, nothing that they say reaches the host without being in `risks`. Pure. Errors: ARCHIVE_INVALID;
 * RESTORE_REFUSED for what cryopod does not have (pods, user namespaces, secrets …); RUNTIME_UNSUPPORTED.
 */
export function readConfigDump(configJson: string, specJson: string): ImportedConfig {
  const dump = parseConfigDump(configJson);
  const spec = parseSpecDump(specJson);
  const { config, dropped } = dump.cryopod === undefined ? fromPodman(dump, spec) : fromCryopod(dump.cryopod);
  refuseDependencies(config, dump);
  const { kept, steering } = splitAnnotations(config.annotations);
  return {
    config: { ...config, annotations: kept, runtime: runtimeName(config.runtime), logPath: '' },
    risks: risksOf(config),
    dropped: [...dropped, ...steering.map((key) => `the annotation ${key}`)],
  };
}

interface Read {
  readonly config: PortableConfig;
  readonly dropped: readonly string[];
}

function fromCryopod({ version, config }: NonNullable<ConfigDump['cryopod']>): Read {
  if (version !== 1) {
    fail('ARCHIVE_INVALID', {
      message: `config.dump of the archive has version ${version} of cryopod's part, and this cryopod knows version 1`,
      hint: 'Use a newer cryopod.',
    });
  }
  return { config: checked(ownConfig, config, 'config.dump'), dropped: [] };
}

function fromPodman(dump: ConfigDump, spec: SpecDump): Read {
  const config = {
    id: dump.id,
    name: dump.name,
    created: utcTime(dump.createdTime),
    imageId: dump.rootfsImageID ?? noImage(dump),
    imageName: dump.rootfsImageName ?? dump.RawImageName ?? '',
    ...podmanArguments(dump, spec),
    env: podmanEnv(spec),
    user: dump.user ?? '',
    workdir: spec.process.cwd ?? '/',
    hostname: spec.hostname ?? dump.id.slice(0, 12),
    tty: spec.process.terminal === true,
    interactive: dump.stdin === true,
    labels: dump.labels ?? {},
    annotations: spec.annotations ?? {},
    mounts: [] as unknown,
    devices: podmanDevices(dump, spec),
    network: podmanNetwork(dump, spec),
    ...podmanNamespaces(dump, spec),
    security: podmanSecurity(dump, spec),
    resources: podmanResources(dump, spec),
    shmSize: dump.shmSize ?? DEFAULT_SHM_SIZE,
    stopSignal:
      dump.stopSignal === undefined || dump.stopSignal === 0 ? DEFAULT_STOP_SIGNAL : dump.stopSignal,
    stopTimeout: dump.stopTimeout ?? DEFAULT_STOP_TIMEOUT,
    autoRemove: spec.annotations?.['io.podman.annotations.autoremove'] === 'TRUE',
    logDriver: dump.logDriver === 'none' ? 'none' : 'k8s-file',
    logSizeMax: dump.logSize !== undefined && dump.logSize > 0 ? dump.logSize : undefined,
    runtime: dump.runtime ?? DEFAULT_RUNTIME,
    cgroupManager: dump.cgroupManager === 'systemd' ? 'systemd' : 'cgroupfs',
    createCommand: dump.CreateCommand ?? [],
  };
  const mounts = podmanMounts(dump, spec);
  const unnamed = mounts.filter(({ type, source }) => type === 'volume' && source === '');
  const valid = checked(
    ownConfig,
    { ...config, mounts: mounts.filter((mount) => !unnamed.includes(mount)) },
    'config.dump',
  );
  return { config: { ...valid, mounts: [...valid.mounts, ...unnamed] }, dropped: droppedOf(dump, spec) };
}

const DEFAULT_SHM_SIZE = 65_536_000;
const DEFAULT_STOP_SIGNAL = 15;
const DEFAULT_STOP_TIMEOUT = 10;
const DEFAULT_RUNTIME = 'runc';

const noImage = ({ name, rootfs }: ConfigDump): never =>
  rootfs === undefined
    ? malformed('config.dump', 'it names no image')
    : fail('RESTORE_REFUSED', {
        message: `cannot import ${name}: it was made from the directory ${rootfs}, not from an image`,
        hint: 'Restore the archive with podman.',
      });

const droppedOf = (dump: ConfigDump, { hooks }: SpecDump): string[] => [
  ...(Object.keys(hooks ?? {}).length > 0 ? ['hooks of the OCI runtime'] : []),
  ...(dump.groups !== undefined && dump.groups.length > 0
    ? [`added groups (${dump.groups.join(', ')}): the frozen processes keep them, a later start does without`]
    : []),
  ...(dump.healthcheck === undefined ? [] : ['the health check']),
];

/** Namespaces of other containers are not in the archive. */
function refuseDependencies(config: PortableConfig, dump: ConfigDump): void {
  if (dump.pod !== undefined && dump.pod !== '') {
    fail('RESTORE_REFUSED', { message: 'cannot restore pod container without --pod' });
  }
  const joins = [config.network, config.ipc, config.pid, config.uts].some(({ mode }) => mode === 'container');
  if (joins || (dump.Dependencies ?? []).length > 0) {
    fail('RESTORE_REFUSED', { message: 'cannot import checkpoints of containers with dependencies' });
  }
}

/** An archive chooses among runtimes by name; no program of the host is run because an archive names its path. */
function runtimeName(runtime: string): string {
  const name = runtime.split('/').at(-1) ?? '';
  if (v.is(v.pipe(v.string(), v.regex(/^(?:runc|crun)[a-zA-Z0-9_.-]*$/)), name)) return name;
  return fail('RUNTIME_UNSUPPORTED', {
    message: `the archive was created with runtime ${JSON.stringify(runtime)}, which cryopod does not know`,
    hint: 'cryopod restores with runc and crun.',
  });
}
