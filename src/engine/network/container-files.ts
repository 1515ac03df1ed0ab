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

/** The files and their places in a container. */
const PLACES = {
  hosts: '/etc/hosts',
  resolvConf: '/etc/resolv.conf',
  hostname: '/etc/hostname',
  // Tells programs that they run in a container, as with podman, whose checkpoints expect a mount there.
  containerEnv: '/run/.containerenv',
} as const;

type FileName = keyof typeof PLACES;

/**
 * Makes room for /etc/hosts, /etc/resolv.conf, /etc/hostname and /run/.containerenv of a container, except those that the
 * user mounts: their content comes with {@link fillContainerFiles}. A container in another one's network shares that one's
 * hosts and resolv.conf. `restoring`: a checkpoint may hold any of them.
 */
export async function placeContainerFiles(
  ctx: EngineContext,
  config: ContainerConfig,
  { restoring }: { readonly restoring: boolean },
): Promise<ContainerFiles> {
  const own = runDirectory(ctx.store, config.id);
  await mkdir(own, { recursive: true, mode: 0o711 });
  const taken = takenPlaces(config, restoring);
  const paths: Partial<Record<FileName, string>> = {};
  const targets: MountTarget[] = [];
  for (const [name, path] of Object.entries(PLACES) as [FileName, string][]) {
    if (taken.has(path)) continue;
    const shared = SHARED.has(name) ? sharedDirectory(ctx, config) : undefined;
    const file = join(shared ?? own, basename(path));
    if (shared === undefined) await writeReadable(file, '');
    paths[name] = file;
    targets.push({ destination: path, kind: 'file' });
  }
  return { paths, targets };
}

/** Writes what {@link placeContainerFiles} has made room for, once the addresses are known. */
export async function fillContainerFiles(
  ctx: EngineContext,
  config: ContainerConfig,
  { networks }: Pick<NetworkHoldings, 'networks'>,
  { paths }: ContainerFiles,
): Promise<void> {
  const input = {
    name: config.name,
    hostname: config.hostname,
    config: config.network,
    networks,
    hostHosts: await readHostHosts(),
    hostResolv: await readHostResolv(),
  };
  const contents: Partial<Record<FileName, string>> = {
    hosts: hostsContent(input),
    resolvConf: resolvContent(input),
    hostname: hostnameContent(config.hostname),
  };
  const isShared = sharedDirectory(ctx, config) !== undefined;
  for (const [name, text] of Object.entries(contents) as [FileName, string][]) {
    const file = paths[name];
    if (file !== undefined && !(isShared && SHARED.has(name))) await writeReadable(file, text);
  }
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
const SHARED: ReadonlySet<FileName> = new Set(['hosts', 'resolvConf']);

function sharedDirectory(ctx: EngineContext, { network }: ContainerConfig): string | undefined {
  if (network.mode !== 'container' || network.target === undefined) return undefined;
  return runDirectory(ctx.store, findContainer(ctx.db, network.target).config.id);
}

/** Every user in the container reads these; the directories above keep the host's users out. Inodes stay, for CRIU. */
async function writeReadable(path: string, text: string): Promise<void> {
  await writeFile(path, text);
  await chmod(path, 0o644);
}
