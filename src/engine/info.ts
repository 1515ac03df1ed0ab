import { readFileSync } from 'node:fs';
import { cpus, freemem, hostname, release, totalmem, uptime } from 'node:os';
import { hostFacts } from '../runtime/spec/host.ts';
import type { RuntimeProbe } from '../runtime/types.ts';
import { listContainers } from '../state/containers.ts';
import { listImages } from '../state/images.ts';
import { osRelease } from '../system/os-release.ts';
import { spaceAt } from '../system/space.ts';
import { volumesDirectory } from '../system/store-paths.ts';
import type { EngineContext } from './context.ts';
import { criuProbe } from './criu-probe.ts';
import { observe } from './observe.ts';
import {
  aardvarkInfo,
  installedRuntimes,
  monitorInfo,
  netavarkInfo,
  type ProgramInfo,
  skopeoInfo,
} from './programs.ts';
import { architecture, type VersionReport, versionReport } from './version.ts';

const NOT_INSTALLED = { path: '', version: '' };

/** Host, store and programs, in the shape of podman's `info` as far as cryopod has the same things. */
export interface InfoReport {
  readonly host: Readonly<Record<string, unknown>>;
  readonly store: Readonly<Record<string, unknown>>;
  readonly version: VersionReport['Client'];
}

export async function info(ctx: EngineContext): Promise<InfoReport> {
  return { host: await hostInfo(ctx), store: await storeInfo(ctx), version: versionReport().Client };
}

async function hostInfo(ctx: EngineContext): Promise<Record<string, unknown>> {
  const { cgroupVersion, controllers } = hostFacts();
  const [runtimes, conmon, criu, netavark, aardvark, skopeo] = await Promise.all([
    installedRuntimes(ctx),
    monitorInfo(),
    criuProbe(ctx),
    netavarkInfo(),
    aardvarkInfo(),
    skopeoInfo(),
  ]);
  const memory = memoryInfo();
  return {
    arch: architecture(),
    cgroupControllers: controllers,
    cgroupManager: ctx.cgroupManager,
    cgroupVersion: `v${cgroupVersion}`,
    conmon: conmon ?? NOT_INSTALLED,
    cpus: cpus().length,
    criu: {
      path: criu?.path ?? '',
      version: criu?.versionText ?? '',
      works: criu?.works ?? false,
      features: criu?.features ?? {},
    },
    distribution: distribution(),
    hostname: hostname(),
    kernel: release(),
    logDriver: 'k8s-file',
    memFree: freemem(),
    memTotal: totalmem(),
    networkBackend: 'netavark',
    networkBackendInfo: {
      backend: 'netavark',
      ...(netavark ?? NOT_INSTALLED),
      dns: aardvark ?? NOT_INSTALLED,
    },
    ociRuntime: runtimeInfo(chosenRuntime(ctx, runtimes)),
    ociRuntimes: runtimes.map(runtimeInfo),
    os: 'linux',
    security: { rootless: false, seccompEnabled: true },
    skopeo: skopeo ?? NOT_INSTALLED,
    swapFree: memory.SwapFree ?? 0,
    swapTotal: memory.SwapTotal ?? 0,
    uptime: uptimeText(uptime()),
  };
}

const chosenRuntime = (ctx: EngineContext, runtimes: readonly RuntimeProbe[]): RuntimeProbe | undefined =>
  runtimes.find(({ name, path }) => name === ctx.runtime || path === ctx.runtime) ?? runtimes[0];

const runtimeInfo = (
  probe: RuntimeProbe | undefined,
): ProgramInfo & { name: string; checkpoint: boolean } => ({
  name: probe?.name ?? '',
  path: probe?.path ?? '',
  version: probe?.versionText ?? '',
  checkpoint: probe?.checkpoint ?? false,
});

async function storeInfo(ctx: EngineContext): Promise<Record<string, unknown>> {
  const statuses = listContainers(ctx.db).map((container) => observe(ctx, container).state.status);
  const count = (...wanted: readonly string[]): number =>
    statuses.filter((status) => wanted.includes(status)).length;
  const { free, total } = await spaceAt(ctx.store.root);
  return {
    containerStore: {
      number: statuses.length,
      paused: count('paused'),
      running: count('running'),
      stopped: count('created', 'exited'),
    },
    graphDriverName: 'overlay',
    graphRoot: ctx.store.root,
    graphRootAllocated: total,
    graphRootUsed: total - free,
    imageStore: { number: listImages(ctx.db).length },
    runRoot: ctx.store.runroot,
    volumePath: volumesDirectory(ctx.store),
  };
}

/** Bytes by the names of /proc/meminfo (proc_meminfo(5)). */
function memoryInfo(): Partial<Record<string, number>> {
  const lines = readFileSync('/proc/meminfo', 'utf8').matchAll(/^(\w+):\s+(\d+) kB$/gm);
  return Object.fromEntries([...lines].map(([, name = '', kilobytes]) => [name, Number(kilobytes) * 1024]));
}

/** os-release(5). */
function distribution(): Record<string, string> {
  const fields = osRelease();
  return {
    distribution: fields.get('ID') ?? 'unknown',
    version: fields.get('VERSION_ID') ?? '',
    codename: fields.get('VERSION_CODENAME') ?? '',
  };
}

/** `1h 4m 58.00s (Approximately 0.04 days)`, as podman words it. */
function uptimeText(seconds: number): string {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const text = `${hours}h ${minutes}m ${(seconds % 60).toFixed(2)}s`;
  return seconds < 3600 ? text : `${text} (Approximately ${(seconds / 86_400).toFixed(2)} days)`;
}
