import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ContainerConfig } from '../../model/container.ts';
import { hostnameContent, hostsContent, resolvContent } from '../../network/container-files.ts';
import { readHostHosts, readHostResolv } from '../../network/host-files.ts';
import type { MountTarget } from '../../rootfs/workdir.ts';
import type { SpecFacts } from '../../runtime/types.ts';
import { findContainer } from '../../state/containers.ts';
import { runDirectory } from '../../system/store-paths.ts';
import type { EngineContext } from '../context.ts';
import type { NetworkHoldings } from './attach.ts';

export interface ContainerFiles {
  readonly paths: SpecFacts['files'];
  /** Where they are mounted in the container. */
  readonly targets: readonly MountTarget[];
}

/**
 * Writes /etc/hosts, /etc/resolv.conf, /etc/hostname and /run/.containerenv of a container, except those that the user
 * mounts. A container in another one's network shares that one's hosts and resolv.conf. `restoring`: a checkpoint may
 * hold any of them.
 */
export async function writeContainerFiles(
  ctx: EngineContext,
  config: ContainerConfig,
  { networks }: Pick<NetworkHoldings, 'networks'>,
  { restoring }: { readonly restoring: boolean },
): Promise<ContainerFiles> {
  const input = {
    name: config.name,
    hostname: config.hostname,
    config: config.network,
    networks,
    hostHosts: await readHostHosts(),
    hostResolv: await readHostResolv(),
  };
  const own = runDirectory(ctx.store, config.id);
  const contents = {
    hosts: { path: '/etc/hosts', text: hostsContent(input) },
    resolvConf: { path: '/etc/resolv.conf', text: resolvContent(input) },
    hostname: { path: '/etc/hostname', text: hostnameContent(config.hostname) },
    // Tells programs that they run in a container, as with podman, whose checkpoints expect a mount there.
    containerEnv: { path: '/run/.containerenv', text: '' },
  };
  await mkdir(own, { recursive: true, mode: 0o711 });
  const taken = takenPlaces(config, restoring);
  const paths: Record<string, string> = {};
  const targets: MountTarget[] = [];
  for (const [name, { path, text }] of Object.entries(contents)) {
    if (taken.has(path)) continue;
    const shared = SHARED.has(name) ? sharedDirectory(ctx, config) : undefined;
    const file = join(shared ?? own, basename(path));
    if (shared === undefined) await writeReadable(file, text);
    paths[name] = file;
    targets.push({ destination: path, kind: 'file' });
  }
  return { paths, targets };
}

/**
 * Places of these files that are taken by a mount of the user's, or where podman has none: its version 4.3 puts no
 * .containerenv into whatever is mounted at /run, so that it could not restore one there. Later ones do, into a tmpfs;
 * their checkpoints are restored, and a mount that the checkpoint does not know of does no harm.
 */
function takenPlaces({ mounts, security }: ContainerConfig, restoring: boolean): ReadonlySet<string> {
  const places = new Set(mounts.map(({ destination }) => destination));
  const coversRun = places.has('/run') || security.readOnlyRootfs;
  if (coversRun && !restoring) places.add('/run/.containerenv');
  return places;
}

/** Files that containers with one network have in common. */
const SHARED: ReadonlySet<string> = new Set(['hosts', 'resolvConf']);

function sharedDirectory(ctx: EngineContext, { network }: ContainerConfig): string | undefined {
  if (network.mode !== 'container' || network.target === undefined) return undefined;
  return runDirectory(ctx.store, findContainer(ctx.db, network.target).config.id);
}

/** Every user in the container reads these; the directories above keep the host's users out. Inodes stay, for CRIU. */
async function writeReadable(path: string, text: string): Promise<void> {
  await writeFile(path, text);
  await chmod(path, 0o644);
}
