import { DEFAULT_CAPABILITIES } from '../../../model/capabilities.ts';
import type { DeviceMapping, NamespaceMode, SecurityOptions } from '../../../model/container.ts';
import { fail } from '../../../model/errors.ts';
import { MASKED_PATHS, READ_ONLY_PATHS } from '../../../model/protected-paths.ts';
import type { ConfigDump, SpecDump } from './schema.ts';

/** Not hidden by some podman that is in use (4.3, 5.8), so that their absence says nothing. */
export const NOT_ALWAYS_MASKED = new Set([
  '/proc/asound',
  '/proc/interrupts',
  '/proc/sched_debug',
  '/proc/timer_stats',
  '/sys/dev/block',
  '/sys/devices/virtual/powercap',
]);
/** Protected by some podman, in one way or the other. */
const ALSO_PROTECTED = ['/proc/asound'];

/** What a container of podman's may do, as the options that would give it the same. */
export function podmanSecurity(config: ConfigDump, spec: SpecDump): SecurityOptions {
  const privileged = config.privileged === true;
  return {
    privileged,
    ...(privileged ? { capAdd: [], capDrop: [] } : capabilities(spec)),
    noNewPrivileges: spec.process.noNewPrivileges === true,
    // A profile of another host's cannot be named here; the frozen processes bring their filters with them.
    seccomp: spec.linux.seccomp === undefined && !privileged ? 'unconfined' : undefined,
    apparmor: spec.process.apparmorProfile === 'unconfined' ? 'unconfined' : undefined,
    ...(privileged ? { mask: [], unmask: [] } : protection(spec)),
    readOnlyRootfs: spec.root?.readonly === true,
  };
}

function capabilities({ process }: SpecDump): Pick<SecurityOptions, 'capAdd' | 'capDrop'> {
  const has = process.capabilities?.bounding ?? [];
  const capAdd = has.filter((name) => !DEFAULT_CAPABILITIES.includes(name));
  const capDrop = DEFAULT_CAPABILITIES.filter((name) => !has.includes(name));
  return capDrop.length === DEFAULT_CAPABILITIES.length
    ? { capAdd: has, capDrop: ['ALL'] }
    : { capAdd, capDrop };
}

function protection({ linux }: SpecDump): Pick<SecurityOptions, 'mask' | 'unmask'> {
  const masked = linux.maskedPaths ?? [];
  const readOnly = linux.readonlyPaths ?? [];
  const open = [
    ...MASKED_PATHS.filter((path) => !NOT_ALWAYS_MASKED.has(path) && !masked.includes(path)),
    ...READ_ONLY_PATHS.filter((path) => !readOnly.includes(path)),
  ];
  const isAll = masked.length === 0 && readOnly.length === 0;
  return {
    mask: masked.filter((path) => !MASKED_PATHS.includes(path) && !ALSO_PROTECTED.includes(path)),
    unmask: isAll ? ['ALL'] : open,
  };
}

/** The namespaces of a container of podman's. Errors: RESTORE_REFUSED for a user namespace. */
export function podmanNamespaces(
  config: ConfigDump,
  spec: SpecDump,
): { readonly ipc: NamespaceMode; readonly pid: NamespaceMode; readonly uts: NamespaceMode } {
  const namespaces = spec.linux.namespaces ?? [];
  const mappings = config.idMappingsOptions;
  const mapped = mappings?.AutoUserNs === true || (mappings?.UIDMap ?? []).length > 0;
  if (mapped || namespaces.some(({ type }) => type === 'user')) {
    fail('RESTORE_REFUSED', {
      message: `cannot import ${config.name}: it has a user namespace, which cryopod does not make`,
      hint: 'Restore the archive with podman.',
    });
  }
  const mode = (name: string, own: NamespaceMode['mode']): NamespaceMode => {
    const namespace = namespaces.find(({ type }) => type === name);
    if (namespace === undefined) return { mode: 'host' };
    const { path = '' } = namespace;
    return path === '' ? { mode: own } : { mode: 'ns', target: path };
  };
  const ownIpc = config.NoShm === true ? 'none' : config.NOShmShare === true ? 'private' : 'shareable';
  return { ipc: mode('ipc', ownIpc), pid: mode('pid', 'private'), uts: mode('uts', 'private') };
}

/** Devices that were asked for; a privileged container has them all anyway. */
export function podmanDevices(config: ConfigDump, spec: SpecDump): DeviceMapping[] {
  if (config.privileged === true || config.mountAllDevices === true) return [];
  const rules = spec.linux.resources?.devices ?? [];
  return (spec.linux.devices ?? []).map(({ path, type, major, minor }) => {
    const rule = rules.find(
      (one) => one.allow && one.type === type && one.major === major && one.minor === minor,
    );
    return { hostPath: path, containerPath: path, permissions: rule?.access ?? 'rwm' };
  });
}
