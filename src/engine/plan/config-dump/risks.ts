import { DEFAULT_CAPABILITIES } from '../../../model/capabilities.ts';
import type { ContainerMount, NamespaceMode } from '../../../model/container.ts';
import type { PortableConfig } from './own-config.ts';

export type RiskKind =
  | 'bind-mount'
  | 'capability'
  | 'device'
  | 'host-namespace'
  | 'privileged'
  | 'seccomp'
  | 'unmasked';

/** What a container would get of the host, beyond what every container gets. */
export interface Risk {
  readonly kind: RiskKind;
  /** What it gives the container, after "the container": `mounts the host directory /srv at /data, writable`. */
  readonly sentence: string;
}

/** podman before 5.0 and docker give these to every container too. */
const COMMON_CAPABILITIES = [...DEFAULT_CAPABILITIES, 'CAP_AUDIT_WRITE', 'CAP_MKNOD', 'CAP_NET_RAW'];

/**
 * Everything in a configuration from elsewhere that the user must agree to. It judges what the container would really
 * get, whatever part of the archive said so. Pure.
 */
export const risksOf = (config: PortableConfig): Risk[] => [
  ...(config.security.privileged
    ? [risk('privileged', 'is privileged: it has all capabilities and devices of the host')]
    : []),
  ...config.mounts.flatMap(mountRisk),
  ...capabilityRisk(config),
  ...config.devices.map(({ hostPath, containerPath, permissions }) =>
    risk('device', `uses the host's device ${hostPath} at ${containerPath} (${permissions})`),
  ),
  ...[
    namespaceRisk('network', config.network),
    namespaceRisk('pid', config.pid),
    namespaceRisk('ipc', config.ipc),
    namespaceRisk('uts', config.uts),
  ].flat(),
  ...seccompRisk(config),
  ...unmaskRisk(config),
];

const risk = (kind: RiskKind, sentence: string): Risk => ({ kind, sentence });

function mountRisk({ type, source, destination, options }: ContainerMount): Risk[] {
  if (type !== 'bind') return [];
  const access = options.includes('ro') ? 'read-only' : 'writable';
  const spreads = options.some((option) => /^r?shared$/.test(option)) ? ', mounts in it reach the host' : '';
  return [risk('bind-mount', `mounts ${source} of the host at ${destination}, ${access}${spreads}`)];
}

function capabilityRisk({ security }: PortableConfig): Risk[] {
  const added = security.capAdd.filter((name) => !COMMON_CAPABILITIES.includes(name));
  return added.length === 0 || security.privileged
    ? []
    : [risk('capability', `has more capabilities than others: ${added.join(', ')}`)];
}

function namespaceRisk(
  what: string,
  { mode, target }: { readonly mode: NamespaceMode['mode'] | 'bridge'; readonly target?: string | undefined },
): Risk[] {
  if (mode === 'host') return [risk('host-namespace', `uses the host's ${what} namespace`)];
  return mode === 'ns' ? [risk('host-namespace', `joins the ${what} namespace ${target ?? ''}`)] : [];
}

function seccompRisk({ security: { seccomp } }: PortableConfig): Risk[] {
  if (seccomp === undefined) return [];
  return [
    seccomp === 'unconfined'
      ? risk('seccomp', 'may use all system calls: it has no seccomp filter')
      : risk('seccomp', `uses the seccomp profile ${seccomp} of the host instead of the default one`),
  ];
}

const unmaskRisk = ({ security: { unmask } }: PortableConfig): Risk[] =>
  unmask.length === 0
    ? []
    : [risk('unmasked', `sees files of the kernel that others do not: ${unmask.join(', ')}`)];
