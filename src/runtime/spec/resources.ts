import type { ContainerConfig } from '../../model/container.ts';
import type { SpecFacts } from '../types.ts';
import type { OciDeviceRule, OciResources } from './types.ts';

/** podman's default for --pids-limit. */
const DEFAULT_PIDS = 2048;
/** Microseconds; the period that --cpus is a share of. */
const CPU_PERIOD = 100_000;

/** cgroup limits that this host can apply; the others are told in `warnings` and left out. */
export function cgroupResources(
  config: ContainerConfig,
  facts: SpecFacts,
): { readonly resources: OciResources; readonly warnings: string[] } {
  const { memory, memorySwap, cpus, cpusetCpus, pids } = config.resources;
  const warnings: string[] = [];
  const can = (controller: string, option: string, asked: boolean): boolean => {
    const able = facts.host.controllers.includes(controller);
    if (asked && !able) warnings.push(`${option} has no effect: this host has no ${controller} controller`);
    return asked && able;
  };
  const limitsMemory = can('memory', '--memory', memory !== undefined);
  const limitsSwap = limitsMemory && facts.host.swapLimit;
  if (limitsMemory && memorySwap !== undefined && !limitsSwap) {
    warnings.push('--memory-swap has no effect: this host cannot limit swap');
  }
  const limitsCpu = can('cpu', '--cpus', cpus !== undefined);
  const limitsCpuset = can('cpuset', '--cpuset-cpus', cpusetCpus !== undefined);
  const pidsLimit = pids ?? DEFAULT_PIDS;
  const limitsPids =
    can('pids', '--pids-limit', pids !== undefined && pids > 0) ||
    (pids === undefined && facts.host.controllers.includes('pids'));
  return {
    resources: {
      devices: deviceRules(config, facts),
      // Memory and swap together: twice the memory unless told, as podman does.
      ...(limitsMemory && memory !== undefined
        ? { memory: { limit: memory, ...(limitsSwap ? { swap: memorySwap ?? memory * 2 } : {}) } }
        : {}),
      ...(limitsCpu || limitsCpuset
        ? {
            cpu: {
              ...(limitsCpu ? { quota: Math.round((cpus ?? 0) * CPU_PERIOD), period: CPU_PERIOD } : {}),
              ...(limitsCpuset ? { cpus: cpusetCpus } : {}),
            },
          }
        : {}),
      ...(limitsPids ? { pids: { limit: pidsLimit } } : {}),
    },
    warnings,
  };
}

/** Everything for a privileged container; else nothing but the runtime's standard nodes and the devices asked for. */
function deviceRules(config: ContainerConfig, facts: SpecFacts): OciDeviceRule[] {
  if (config.security.privileged) return [{ allow: true, access: 'rwm' }];
  const deny: OciDeviceRule = { allow: false, access: 'rwm' };
  return [
    deny,
    ...facts.devices.map((device) => ({
      allow: true,
      type: device.type,
      major: device.major,
      minor: device.minor,
      access: device.permissions,
    })),
  ];
}

/**
 * Where the container's cgroup lies; the two managers write it differently (runc's docs/systemd.md). cgroupfs: no parent
 * in common, since runtimes make parents but never remove them, and removing one races with the next container.
 */
export const cgroupsPath = (config: ContainerConfig): string =>
  config.cgroupManager === 'systemd'
    ? `cryopod.slice:cryopod:${cgroupName(config)}`
    : cgroupfsPath(cgroupName(config));

const cgroupName = ({ id, cgroup }: ContainerConfig): string => cgroup ?? id;

/** Under the cgroupfs manager, from the root of each hierarchy. */
export const cgroupfsPath = (id: string): string => `/cryopod-${id}`;

/** Where either manager puts it, from the root of each hierarchy. */
export const cgroupPath = (config: ContainerConfig): string =>
  config.cgroupManager === 'systemd'
    ? `/cryopod.slice/cryopod-${cgroupName(config)}.scope`
    : cgroupfsPath(cgroupName(config));
