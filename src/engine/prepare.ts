import { layerDiffDirectory } from '../image/layers.ts';
import type { Container } from '../model/container.ts';
import type { PortReservation } from '../network/reserve.ts';
import { mountRootfs } from '../rootfs/overlay.ts';
import { mountShm } from '../rootfs/shm.ts';
import { ensureMountTargets, ensureWorkdir } from '../rootfs/workdir.ts';
import { resolveUser } from '../runtime/passwd.ts';
import { hostDevices, resolveDevices } from '../runtime/spec/devices.ts';
import { hostFacts } from '../runtime/spec/host.ts';
import { seccompFor } from '../runtime/spec/seccomp.ts';
import { buildSpec, writeSpec } from '../runtime/spec.ts';
import type { Cleanup } from '../system/cleanup.ts';
import { faultPoint } from '../system/faults.ts';
import { logInfo } from '../system/log.ts';
import { bundleDirectory } from '../system/store-paths.ts';
import { mountTarget, resolveMounts } from './container-mounts.ts';
import type { EngineContext } from './context.ts';
import { namespaceChoice, ownsShm, shmSource } from './namespaces.ts';
import { type AttachOptions, attachNetwork, type NetworkHoldings } from './network/attach.ts';
import { fillContainerFiles, placeContainerFiles } from './network/container-files.ts';
import { release } from './release.ts';

export interface Prepared {
  /** Sockets that keep the published ports, for the monitor to inherit. */
  readonly reservation: PortReservation;
  /**
   * Waits until the network is connected and the files that name its addresses are written: a process of the container
   * may run only then. Gives what the caller records.
   */
  readonly connected: () => Promise<NetworkHoldings>;
}

/**
 * Makes everything ready for the runtime: root file system and /dev/shm mounted, volumes filled, the bundle's config.json
 * written, while the network is being connected. What it acquires is registered with `cleanup`. The caller holds the
 * container's lock.
 */
export async function prepare(
  ctx: EngineContext,
  container: Container,
  cleanup: Cleanup,
  network: AttachOptions,
): Promise<Prepared> {
  const { config, state } = container;
  // An address that was kept for a restore stays kept when the restore fails.
  const keepNetwork = network.hold && state.networkHeld;
  cleanup.add(`release ${config.id}`, () => release(ctx, container, { keepNetwork }));
  // Links and rules take longer than all mounts.
  const { netns, reservation, holdings } = await attachNetwork(ctx, container, cleanup, network);
  const rootfs = await mountRootfs(
    ctx.store,
    config.id,
    config.layers.map((layer) => layerDiffDirectory(ctx.store, layer)),
  );
  if (ownsShm(config)) await mountShm(ctx.store, config.id, config.shmSize);
  const mounts = await resolveMounts(ctx, config, rootfs);
  faultPoint('start.mounted');
  const files = await placeContainerFiles(ctx, config, { restoring: network.checkpoint !== undefined });
  ensureMountTargets(rootfs, [...mounts.map(mountTarget), ...files.targets]);
  const user = resolveUser(rootfs, config.user);
  ensureWorkdir(rootfs, config.workdir, user);
  const { spec, warnings } = buildSpec(config, {
    host: hostFacts(),
    rootfs,
    user,
    mounts,
    shm: shmSource(ctx, config.id, config.ipc),
    files: files.paths,
    namespaces: {
      network: namespaceChoice(ctx, config.network, 'net', netns),
      pid: namespaceChoice(ctx, config.pid, 'pid'),
      ipc: namespaceChoice(ctx, config.ipc, 'ipc'),
      uts: namespaceChoice(ctx, config.uts, 'uts'),
    },
    devices: [...(config.security.privileged ? hostDevices() : []), ...resolveDevices(config.devices)],
    seccomp: await seccompFor(config.security),
  });
  for (const warning of warnings) logInfo(warning);
  await writeSpec(bundleDirectory(ctx.store, config.id), spec);
  const connected = async (): Promise<NetworkHoldings> => {
    const known = await holdings;
    await fillContainerFiles(ctx, config, known, files);
    faultPoint('start.network-ready');
    return known;
  };
  return { reservation, connected };
}
