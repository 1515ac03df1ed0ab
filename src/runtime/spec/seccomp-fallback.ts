import type { SeccompProfile } from './seccomp.ts';

/** System calls that reach the whole host, by the capability that opens them again. */
const GUARDED: Readonly<Record<string, readonly string[]>> = {
  CAP_SYS_ADMIN: [
    'bpf',
    'fanotify_init',
    'fsconfig',
    'fsmount',
    'fsopen',
    'fspick',
    'lookup_dcookie',
    'mount',
    'mount_setattr',
    'move_mount',
    'open_tree',
    'perf_event_open',
    'quotactl',
    'quotactl_fd',
    'setdomainname',
    'sethostname',
    'setns',
    'umount',
    'umount2',
    'unshare',
  ],
  CAP_SYS_BOOT: ['reboot', 'kexec_load', 'kexec_file_load'],
  CAP_SYS_MODULE: ['delete_module', 'init_module', 'finit_module'],
  CAP_SYS_PACCT: ['acct'],
  CAP_SYS_PTRACE: ['kcmp', 'process_madvise'],
  CAP_SYS_RAWIO: ['iopl', 'ioperm'],
  CAP_SYS_TIME: ['settimeofday', 'stime', 'clock_settime', 'clock_settime64'],
  CAP_SYS_TTY_CONFIG: ['vhangup'],
  CAP_SYS_NICE: ['get_mempolicy', 'mbind', 'set_mempolicy', 'move_pages', 'migrate_pages'],
  CAP_DAC_READ_SEARCH: ['open_by_handle_at'],
};

/** Refused for all: kernel keyrings are not namespaced, the others serve no container. */
const REFUSED = [
  'add_key',
  'keyctl',
  'request_key',
  'userfaultfd',
  'swapon',
  'swapoff',
  'nfsservctl',
  'uselib',
  'ustat',
  'sysfs',
  '_sysctl',
  'create_module',
  'get_kernel_syms',
  'query_module',
];

const EPERM = 1;

/**
 * For hosts without an installed profile. Unlike that one it names what is refused, not what is allowed, so that it need
 * not follow each new kernel.
 */
export const FALLBACK_PROFILE: SeccompProfile = {
  defaultAction: 'SCMP_ACT_ALLOW',
  archMap: [
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] },
    { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
  ],
  syscalls: [
    { names: REFUSED, action: 'SCMP_ACT_ERRNO', errnoRet: EPERM },
    ...Object.entries(GUARDED).map(([capability, names]) => ({
      names,
      action: 'SCMP_ACT_ERRNO',
      errnoRet: EPERM,
      excludes: { caps: [capability] },
    })),
  ],
};
