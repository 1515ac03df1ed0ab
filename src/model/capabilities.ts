import type { SecurityOptions } from './container.ts';
import { fail } from './errors.ts';

/** Bit order of linux/capability.h. */
export const CAPABILITIES = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
] as const;

/** What a container gets unless told otherwise; the set of podman's containers.conf(5). */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_NET_BIND_SERVICE',
  'CAP_SETFCAP',
  'CAP_SETGID',
  'CAP_SETPCAP',
  'CAP_SETUID',
  'CAP_SYS_CHROOT',
];

/** The names for a bit mask as /proc/PID/status shows it. */
export const capabilityNames = (mask: bigint): string[] =>
  CAPABILITIES.filter((_, bit) => (mask & (1n << BigInt(bit))) !== 0n);

function checkNames(names: readonly string[], verb: string): void {
  const unknown = names.find((name) => name !== 'ALL' && !(CAPABILITIES as readonly string[]).includes(name));
  if (unknown !== undefined) {
    fail('USAGE', { message: `capability to ${verb} is unknown: "${unknown}": invalid argument` });
  }
}

/**
 * The names in the container's bounding set, sorted. Those that this host does not have are left out: an asked-for one
 * is told in `missing`. Fails with USAGE for a name that no kernel knows.
 */
export function boundingSet(
  security: SecurityOptions,
  host: { readonly capabilities: readonly string[] },
): { readonly names: string[]; readonly missing: string[] } {
  const { privileged, capAdd, capDrop } = security;
  checkNames(capAdd, 'add');
  checkNames(capDrop, 'drop');
  const all = privileged || capAdd.includes('ALL');
  const dropAll = capDrop.includes('ALL');
  const base = all ? host.capabilities : dropAll ? [] : DEFAULT_CAPABILITIES;
  const added = capAdd.filter((name) => name !== 'ALL');
  const wanted = new Set([...base, ...added]);
  for (const name of capDrop) wanted.delete(name);
  return {
    names: [...wanted]
      .filter((name) => host.capabilities.includes(name))
      .toSorted((a, b) => a.localeCompare(b)),
    missing: added.filter((name) => !host.capabilities.includes(name)),
  };
}
