import type { SecurityOptions } from '../../model/container.ts';

/** Files of the kernel that tell about or reach the host; podman hides the same. */
const MASKED = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/dev/block',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
  '/sys/fs/selinux',
];

const READ_ONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** Paths to hide and to protect, after --privileged and --security-opt mask= and unmask=. */
export function protectedPaths(security: SecurityOptions): {
  readonly maskedPaths: string[];
  readonly readonlyPaths: string[];
} {
  if (security.privileged) return { maskedPaths: [...security.mask], readonlyPaths: [] };
  const all = security.unmask.some((path) => path.toUpperCase() === 'ALL');
  const kept = (path: string): boolean => !all && !security.unmask.includes(path);
  return {
    maskedPaths: [...MASKED.filter(kept), ...security.mask],
    readonlyPaths: READ_ONLY.filter(kept),
  };
}
