import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { layerDiffDirectory } from '../image/layers.ts';
import { boundingSet } from '../model/capabilities.ts';
import type { Container } from '../model/container.ts';
import { mergedDirectory, upperDirectory } from '../rootfs/overlay.ts';
import { processEnv } from '../runtime/environment.ts';
import { monitorPidFile, pidFile } from '../runtime/monitor.ts';
import { processCapabilities } from '../runtime/spec/capabilities.ts';
import { hostFacts } from '../runtime/spec/host.ts';
import { processLimits } from '../runtime/spec/limits.ts';
import { cgroupPath } from '../runtime/spec/resources.ts';
import type { OciSpec } from '../runtime/spec/types.ts';
import { containerById, findContainer } from '../state/containers.ts';
import { listImages } from '../state/images.ts';
import { listVolumes } from '../state/volumes.ts';
import { isMounted } from '../system/mounts.ts';
import { bundleDirectory, overlayDirectory, runDirectory } from '../system/store-paths.ts';
import { containerSize } from './container-size.ts';
import type { EngineContext } from './context.ts';
import { observe } from './observe.ts';
import { inspectData } from './plan/inspect/data.ts';
import type { InspectFacts, ProcessFacts } from './plan/inspect/facts.ts';

export interface InspectOptions {
  /** Measure sizes, which reads the whole tree of what the container wrote. */
  readonly size: boolean;
}

/** All about a container in the shape of podman's `container inspect`. Errors: NO_SUCH_CONTAINER, AMBIGUOUS_ID. */
export async function inspectContainer(
  ctx: EngineContext,
  nameOrId: string,
  { size }: InspectOptions,
): Promise<Record<string, unknown>> {
  const container = observe(ctx, findContainer(ctx.db, nameOrId));
  return inspectData(container, {
    ...storeFacts(ctx, container),
    process: await processFacts(ctx, container),
    size: size ? await containerSize(ctx, container) : undefined,
  });
}

function storeFacts(ctx: EngineContext, { config }: Container): Omit<InspectFacts, 'process' | 'size'> {
  const { store, db } = ctx;
  const merged = mergedDirectory(store, config.id);
  const { mode, target } = config.network;
  return {
    bundle: bundleDirectory(store, config.id),
    runDirectory: runDirectory(store, config.id),
    monitorPidFile: monitorPidFile(store, config.id),
    pidFile: pidFile(store, config.id),
    cgroupPath: cgroupPath(config),
    imageDigest: listImages(db).find(({ id }) => id === config.imageId)?.digest ?? '',
    overlay: {
      lower: config.layers.map((layer) => layerDiffDirectory(store, layer)),
      upper: upperDirectory(store, config.id),
      work: join(overlayDirectory(store, config.id), 'work'),
      merged: isMounted(merged) ? merged : undefined,
    },
    volumes: Object.fromEntries(listVolumes(db).map(({ name, mountpoint }) => [name, mountpoint])),
    networkOwner: mode === 'container' && target !== undefined ? containerById(db, target) : undefined,
  };
}

/** From the spec of the last start; before the first one, from the configuration. */
async function processFacts(ctx: EngineContext, { config }: Container): Promise<ProcessFacts> {
  const path = join(bundleDirectory(ctx.store, config.id), 'config.json');
  if (existsSync(path)) return fromSpec(JSON.parse(await readFile(path, 'utf8')) as OciSpec);
  const host = hostFacts();
  const uid = Number(/^\d+/.exec(config.user)?.[0] ?? (config.user === '' || config.user === 'root' ? 0 : 1));
  const bounding = boundingSet(config.security, host).names;
  return {
    env: processEnv(config, { uid, gid: 0, additionalGids: [], home: uid === 0 ? '/root' : '/', name: '' }),
    boundingCaps: bounding,
    effectiveCaps: processCapabilities(bounding, config.security, uid).effective,
    rlimits: processLimits(config.resources, host).rlimits.map(readable),
    annotations: config.annotations,
    cgroupNamespace: host.cgroupVersion === 2 ? 'private' : 'host',
  };
}

const fromSpec = ({ process, annotations, linux }: OciSpec): ProcessFacts => ({
  env: process.env,
  boundingCaps: process.capabilities.bounding,
  effectiveCaps: process.capabilities.effective,
  rlimits: (process.rlimits ?? []).map(readable),
  annotations,
  cgroupNamespace: linux.namespaces.some(({ type }) => type === 'cgroup') ? 'private' : 'host',
});

/** The format's "unlimited" is the largest 64-bit number; podman shows it as -1. */
const readable = ({
  type,
  soft,
  hard,
}: ProcessFacts['rlimits'][number]): ProcessFacts['rlimits'][number] => ({
  type,
  soft: soft >= 2 ** 63 ? -1 : soft,
  hard: hard >= 2 ** 63 ? -1 : hard,
});
