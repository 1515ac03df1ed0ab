import type { ContainerConfig } from '../../model/container.ts';
import type { ResolvedMount, SpecFacts } from '../types.ts';
import type { OciMount } from './types.ts';

/** Destinations of a read-only container that stay writable, as with podman's --read-only-tmpfs. */
const WRITABLE_DIRECTORIES = ['/run', '/tmp', '/var/tmp'];
const DEFAULT_BIND = ['bind', 'rprivate'];

/** The kernel's file systems, with podman's options. */
function systemMounts({ security, ipc }: ContainerConfig, facts: SpecFacts): OciMount[] {
  const access = security.privileged ? 'rw' : 'ro';
  return [
    mountOf('/proc', 'proc', 'proc', ['nosuid', 'noexec', 'nodev']),
    mountOf('/dev', 'tmpfs', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
    mountOf('/sys', 'sysfs', 'sysfs', ['nosuid', 'noexec', 'nodev', access]),
    // Group 5 is tty in all common distributions.
    mountOf('/dev/pts', 'devpts', 'devpts', [
      'nosuid',
      'noexec',
      'newinstance',
      'ptmxmode=0666',
      'mode=0620',
      'gid=5',
    ]),
    // Many minimal hosts have not mounted the host's queues.
    ipc.mode === 'host' && facts.host.messageQueues
      ? mountOf('/dev/mqueue', 'bind', '/dev/mqueue', ['rbind', 'nosuid', 'noexec', 'nodev'])
      : mountOf('/dev/mqueue', 'mqueue', 'mqueue', ['nosuid', 'noexec', 'nodev']),
    mountOf('/sys/fs/cgroup', 'cgroup', 'cgroup', [
      'rprivate',
      'nosuid',
      'noexec',
      'nodev',
      'relatime',
      access,
    ]),
    shmMount(ipc.mode === 'host' ? (facts.shm ?? '/dev/shm') : facts.shm),
  ];
}

const shmMount = (source: string | undefined): OciMount =>
  source === undefined
    ? mountOf('/dev/shm', 'tmpfs', 'shm', ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'])
    : mountOf('/dev/shm', 'bind', source, [...DEFAULT_BIND, 'nosuid', 'noexec', 'nodev']);

function fileMounts(files: SpecFacts['files']): OciMount[] {
  const pairs: readonly (readonly [string, string | undefined])[] = [
    ['/etc/hosts', files.hosts],
    ['/etc/resolv.conf', files.resolvConf],
    ['/etc/hostname', files.hostname],
    ['/run/.containerenv', files.containerEnv],
  ];
  return pairs.flatMap(([destination, source]) =>
    source === undefined ? [] : [mountOf(destination, 'bind', source, DEFAULT_BIND)],
  );
}

const writableMounts = (): OciMount[] =>
  WRITABLE_DIRECTORIES.map((directory) =>
    mountOf(directory, 'tmpfs', 'tmpfs', ['rprivate', 'rw', 'nosuid', 'nodev', 'tmpcopyup']),
  );

const mountOf = (
  destination: string,
  type: string,
  source: string,
  options: readonly string[],
): OciMount => ({
  destination,
  type,
  source,
  options,
});

const PROPAGATION = /^r?(private|shared|slave|unbindable)$/;
/** For cryopod alone: SELinux labels, ownership, content; the runtime does not know them. */
const OWN_OPTIONS = /^(z|Z|U|copy|nocopy|O|notmpcopyup|idmap.*)$/;

function userMount(mount: ResolvedMount): OciMount {
  const given = mount.options.filter((option) => !OWN_OPTIONS.test(option));
  const options = [...given];
  const unless = (pattern: RegExp, option: string): void => {
    if (!given.some((one) => pattern.test(one))) options.push(option);
  };
  unless(PROPAGATION, 'rprivate');
  if (mount.type !== 'bind') {
    unless(/^(no)?suid$/, 'nosuid');
    unless(/^(no)?dev$/, 'nodev');
  }
  if (mount.type === 'tmpfs') {
    if (!mount.options.includes('notmpcopyup')) unless(/^tmpcopyup$/, 'tmpcopyup');
    return mountOf(mount.destination, 'tmpfs', 'tmpfs', options);
  }
  unless(/^r?bind$/, 'rbind');
  unless(/^r[ow]$/, 'rw');
  return mountOf(mount.destination, 'bind', mount.source, options);
}

const depth = (path: string): number => path.split('/').filter(Boolean).length;

/**
 * All mounts in the order in which they are made: the system's, then the engine's files, tmpfs and the user's by depth.
 * A mount of the user's takes the place of another at the same destination.
 */
export function containerMounts(config: ContainerConfig, facts: SpecFacts): OciMount[] {
  const users = facts.mounts.map(userMount);
  const taken = new Set(users.map((mount) => mount.destination));
  const free = (mount: OciMount): boolean => !taken.has(mount.destination);
  const rest = [
    ...(config.security.readOnlyRootfs ? writableMounts() : []),
    ...fileMounts(facts.files),
  ].filter(free);
  return [
    ...systemMounts(config, facts).filter(free),
    ...[...rest, ...users].toSorted((a, b) => depth(a.destination) - depth(b.destination)),
  ];
}

/** Shared or slave mounts need a root that propagates as far (mount_namespaces(7)). */
export function rootPropagation(mounts: readonly ResolvedMount[]): string | undefined {
  const options = mounts.flatMap((mount) => mount.options);
  if (options.some((option) => /^r?shared$/.test(option))) return 'shared';
  if (options.some((option) => /^r?slave$/.test(option))) return 'rslave';
  return undefined;
}
