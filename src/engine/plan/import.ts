import type { ContainerConfig } from '../../model/container.ts';
import type { PortMapping } from '../../model/network.ts';

/** What an import changes in the container that an archive describes. */
export interface ImportIdentity {
  /** Another name than the archive's: the container gets an ID and anonymous volumes of its own. */
  readonly name: string | undefined;
  readonly publish: readonly PortMapping[] | undefined;
  readonly layers: readonly string[];
  readonly cgroupManager: ContainerConfig['cgroupManager'];
  /** The name of the cgroup of the container with this ID, where that cannot be the ID. */
  readonly cgroupOf?: ((id: string) => string | undefined) | undefined;
  /** Path of the log of the container with this ID. */
  readonly logPathOf: (id: string) => string;
  /** 64 random hexadecimal digits. */
  readonly newId: () => string;
}

/** A volume of the new container, and the archive's name for it. */
export interface ImportedVolume {
  readonly name: string;
  readonly member: string;
  readonly anonymous: boolean;
}

export interface ImportPlan {
  readonly config: ContainerConfig;
  /** Each once. */
  readonly volumes: readonly ImportedVolume[];
}

/** The container that comes of an archive's, on this host. Pure but for `newId`. */
export function planImport(
  archived: Omit<ContainerConfig, 'layers'>,
  { name, publish, layers, cgroupManager, cgroupOf, logPathOf, newId }: ImportIdentity,
): ImportPlan {
  const id = name === undefined ? archived.id : newId();
  const volumes = new Map<string, ImportedVolume>();
  const mounts = archived.mounts.map((mount) => {
    if (mount.type !== 'volume') return mount;
    const known = volumes.get(mount.source);
    const anonymous = mount.anonymous === true;
    const isNew = anonymous && (name !== undefined || mount.source === '');
    const source = known?.name ?? (isNew ? newId() : mount.source);
    volumes.set(mount.source, { name: source, member: mount.source, anonymous });
    return { ...mount, source };
  });
  const { network } = archived;
  const config = {
    ...archived,
    id,
    name: name ?? archived.name,
    layers,
    mounts,
    cgroupManager,
    cgroup: cgroupOf?.(id),
    logPath: archived.logDriver === 'none' ? '' : logPathOf(id),
    network: publish === undefined ? network : { ...network, ports: publish },
  };
  return { config, volumes: [...volumes.values()] };
}
