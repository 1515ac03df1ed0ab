import type { ContainerMount } from '../../../model/container.ts';
import { fail } from '../../../model/errors.ts';
import { isMountOption } from './fields.ts';
import type { ConfigDump, SpecDump } from './schema.ts';

/** File systems of the kernel that every container gets. */
const SYSTEM = new Set(['/proc', '/dev', '/sys', '/dev/pts', '/dev/mqueue', '/dev/shm', '/sys/fs/cgroup']);
/** Files and directories that podman itself puts into a container; the importer makes its own. */
export const ENGINE_FILES: ReadonlySet<string> = new Set([
  '/etc/hostname',
  '/etc/hosts',
  '/etc/resolv.conf',
  '/run/.containerenv',
  '/var/run/.containerenv',
]);
/** A bind of the host's subscriptions, on hosts that have any (containers-mounts.conf(5)). */
const SUBSCRIPTIONS = /^(?:\/var)?\/run\/secrets$/;
/** tmpfs of a read-only container. */
const READ_ONLY_TMPFS = new Set(['/run', '/tmp', '/var/tmp']);
/** cryopod adds these to every mount anyway. */
const DEFAULTS = new Set(['rw', 'rprivate', 'private', 'rbind', 'bind', 'tmpcopyup']);

/**
 * The mounts of a container of podman's that are its user's or its image's. A source of '' is an anonymous volume still
 * to be named. Errors: RESTORE_REFUSED for kinds of mounts that cryopod does not have.
 */
export function podmanMounts(config: ConfigDump, spec: SpecDump): ContainerMount[] {
  refuseOtherKinds(config);
  const volumes = (config.namedVolumes ?? []).map(volumeMount);
  const taken = new Set(volumes.map(({ destination }) => destination));
  const users = new Set(config.userVolumes ?? []);
  const isReadOnly = spec.root?.readonly === true;
  const rest = (spec.mounts ?? []).flatMap((mount): ContainerMount[] => {
    const { destination, type = 'bind', source = '', options = [] } = mount;
    const engines = SYSTEM.has(destination) || ENGINE_FILES.has(destination);
    if (taken.has(destination) || (engines && !users.has(destination))) return [];
    if (type === 'tmpfs') {
      const isDefault = isReadOnly && READ_ONLY_TMPFS.has(destination) && !users.has(destination);
      return isDefault ? [] : [tmpfsMount(destination, options)];
    }
    if (type !== 'bind' && !options.includes('bind') && !options.includes('rbind')) return [];
    if (SUBSCRIPTIONS.test(destination) && !users.has(destination)) {
      return [{ type: 'volume', source: '', destination, options: [], anonymous: true }];
    }
    return [{ type: 'bind', source, destination, options: keptOptions(destination, options) }];
  });
  return [...volumes, ...rest];
}

function refuseOtherKinds(config: ConfigDump): void {
  const kinds: readonly (readonly [string, readonly unknown[] | undefined])[] = [
    ['volumes with an overlay (option O)', config.overlayVolumes],
    ['volumes made of images', config.ctrImageVolumes],
    ['volumes made of artifacts', config.artifactVolumes],
    ["podman's secrets, whose content is not in archives", config.secrets],
    ["podman's secrets, whose content is not in archives", Object.keys(config.secret_env ?? {})],
  ];
  const found = kinds.find(([, list]) => list !== undefined && list.length > 0);
  if (found !== undefined) refuse(config, `it uses ${found[0]}`);
}

const refuse = ({ name }: Pick<ConfigDump, 'name'>, why: string): never =>
  fail('RESTORE_REFUSED', {
    message: `cannot import ${name}: ${why}`,
    hint: 'Restore the archive with podman.',
  });

type NamedVolume = NonNullable<ConfigDump['namedVolumes']>[number];

function volumeMount({
  volumeName,
  dest,
  options = [],
  setAnonymous,
  SubPath = '',
}: NamedVolume): ContainerMount {
  if (SubPath !== '') refuse({ name: volumeName }, 'a part of the volume is mounted (subpath)');
  // Names of anonymous volumes are 64 random digits.
  const anonymous = setAnonymous === true || /^[0-9a-f]{64}$/.test(volumeName);
  return {
    type: 'volume',
    source: volumeName,
    destination: dest,
    // What the volume's driver was told when it was made; cryopod's volumes are plain directories.
    options: keptOptions(
      dest,
      options.filter((option) => !option.startsWith('volume-opt')),
    ),
    ...(anonymous ? { anonymous } : {}),
  };
}

function tmpfsMount(destination: string, options: readonly string[]): ContainerMount {
  const kept = keptOptions(destination, options);
  const isEmpty = !options.includes('tmpcopyup');
  return { type: 'tmpfs', source: '', destination, options: isEmpty ? [...kept, 'notmpcopyup'] : kept };
}

function keptOptions(destination: string, options: readonly string[]): string[] {
  const unknown = options.find((option) => !isMountOption(option));
  if (unknown !== undefined) {
    fail('RESTORE_REFUSED', {
      message: `cannot import the mount at ${destination}: option ${JSON.stringify(unknown)} is not supported`,
      hint: 'Restore the archive with podman.',
    });
  }
  return options.filter((option) => !DEFAULTS.has(option));
}
