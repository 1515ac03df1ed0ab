import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container, ContainerConfig, ContainerMount, NamespaceMode } from '../model/container.ts';
import { errnoOf, fail } from '../model/errors.ts';
import { layerDiffDirectory } from '../image/layers.ts';
import { mountRootfs } from '../rootfs/overlay.ts';
import { mountShm, shmDirectory } from '../rootfs/shm.ts';
import { copyUp } from '../rootfs/volumes.ts';
import { makeMountTargets } from '../rootfs/workdir.ts';
import { resolveUser } from '../runtime/passwd.ts';
import { resolveDevices } from '../runtime/spec/devices.ts';
import { hostFacts } from '../runtime/spec/host.ts';
import { seccompFor } from '../runtime/spec/seccomp.ts';
import { buildSpec, writeSpec } from '../runtime/spec.ts';
import type { NamespaceChoice, ResolvedMount } from '../runtime/types.ts';
import { findContainer } from '../state/containers.ts';
import { putVolume } from '../state/volumes.ts';
import type { Cleanup } from '../system/cleanup.ts';
import { faultPoint } from '../system/faults.ts';
import { logInfo } from '../system/log.ts';
import { bundleDirectory } from '../system/store-paths.ts';
import type { EngineContext } from './context.ts';
import { type AttachedState, attachNetwork, type AttachOptions } from './network/attach.ts';
import { observe } from './observe.ts';
import { writeContainerFiles } from './network/container-files.ts';
import { ensureVolume } from './volume/ensure.ts';
import { release } from './release.ts';

/** What a prepared container holds of the host; goes into its record. */
export type PreparedState = AttachedState;

/** CRIU's extra options for the next dump or restore; the runtime reads the file that the spec names. */
export const criuConfigPath = (ctx: EngineContext, id: string): string =>
  join(bundleDirectory(ctx.store, id), 'criu.conf');

/**
 * Makes everything ready for the runtime: root file system and /dev/shm mounted, volumes filled, network attached, the
 * bundle's config.json written. What it acquires is registered with `cleanup`. The caller holds the container's lock.
 */
export async function prepare(
  ctx: EngineContext,
  container: Container,
  cleanup: Cleanup,
  network: AttachOptions,
): Promise<PreparedState> {
  const { config } = container;
  cleanup.add(`release container ${config.id}`, () => release(ctx, container, { keepNetwork: network.hold }));
  const rootfs = await mountRootfs(
    ctx.store,
    config.id,
    config.layers.map((layer) => layerDiffDirectory(ctx.store, layer)),
  );
  if (ownsShm(config)) await mountShm(ctx.store, config.id, config.shmSize);
  const mounts = await resolveMounts(ctx, config, rootfs);
  faultPoint('start.mounted');
  const attached = await attachNetwork(ctx, container, network);
  cleanup.add(`release container ${config.id}`, () =>
    release(ctx, { config, state: { ...container.state, ...attached } }, { keepNetwork: network.hold }),
  );
  faultPoint('start.network-ready');
  const files = await writeContainerFiles(ctx, config, attached, rootfs);
  await makeMountTargets(rootfs, [...mounts.map(toTarget), ...Object.keys(files.targets)], config.workdir);
  const { spec, warnings } = buildSpec(config, {
    host: hostFacts(),
    rootfs,
    user: resolveUser(rootfs, config.user),
    mounts,
    shm: shmSource(ctx, config),
    files: files.paths,
    namespaces: {
      network: networkChoice(ctx, config, attached),
      pid: namespaceChoice(ctx, config.pid, 'pid'),
      ipc: namespaceChoice(ctx, config.ipc, 'ipc'),
      uts: namespaceChoice(ctx, config.uts, 'uts'),
    },
    devices: resolveDevices(config.devices),
    seccomp: await seccompFor(config.security),
    criuConfig: criuConfigPath(ctx, config.id),
  });
  for (const warning of warnings) logInfo(warning);
  await writeSpec(bundleDirectory(ctx.store, config.id), spec);
  return attached;
}
