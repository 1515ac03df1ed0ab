import type { SecurityOptions } from '../../../model/container.ts';
import { cut, quoted, refuse } from './usage.ts';

/** capabilities(7), in the order of their numbers. */
const CAPABILITIES = new Set(
  `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
  NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
  SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
  MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`
    .split(/\s+/)
    .map((name) => `CAP_${name}`),
);

/** `net_admin`, `CAP_NET_ADMIN` → `CAP_NET_ADMIN`; `all` → `ALL`. Sorted, each once. Throws USAGE. */
export function parseCapabilities(values: readonly string[]): string[] {
  const names = values.map((value) => {
    const upper = value.toUpperCase();
    if (upper === 'ALL') return upper;
    const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
    return CAPABILITIES.has(name) ? name : refuse(`${quoted(name)}: unknown capability`);
  });
  return [...new Set(names)].sort((a, b) => (a < b ? -1 : 1));
}

function checkConflicts(add: readonly string[], drop: readonly string[]): void {
  if (drop.includes('ALL')) {
    if (add.includes('ALL')) refuse('adding all caps and removing all caps not allowed');
    return;
  }
  const both = add.find((name) => name !== 'ALL' && drop.includes(name));
  if (both !== undefined) refuse(`capability ${quoted(both)} cannot be dropped and added`);
}

interface Draft {
  noNewPrivileges: boolean;
  seccomp: string | undefined;
  apparmor: string | undefined;
  readonly mask: string[];
  readonly unmask: string[];
}

const TRUE = /^(?:1|t|T|TRUE|true|True)$/;
const FALSE = /^(?:0|f|F|FALSE|false|False)$/;

/** Colon-separated absolute paths; a pattern such as `/proc/*` is one too. */
function paths(option: string, value: string): string[] {
  const list = value.split(':');
  for (const path of list) {
    if (!path.startsWith('/') && path.toUpperCase() !== 'ALL')
      refuse(`invalid --security-opt 2: ${quoted(option)}`);
  }
  return list.map((path) => (path.startsWith('/') ? path : 'ALL'));
}

function apply(draft: Draft, option: string): void {
  const [key, value] = cut(option, option.includes('=') ? '=' : ':');
  if (key === 'no-new-privileges') {
    if (value !== undefined && !TRUE.test(value) && !FALSE.test(value))
      refuse(`invalid --security-opt 2: ${quoted(option)}`);
    draft.noNewPrivileges = value === undefined || TRUE.test(value);
    return;
  }
  if (value === undefined) refuse(`invalid --security-opt 1: ${quoted(option)}`);
  switch (key) {
    case 'label':
      // SELinux labels: where SELinux is not in use, every value has the meaning of `disable`.
      return;
    case 'apparmor':
      draft.apparmor = value;
      return;
    case 'seccomp':
      draft.seccomp = value;
      return;
    case 'mask':
      draft.mask.push(...paths(option, value));
      return;
    case 'unmask':
      draft.unmask.push(...paths(option, value));
      return;
    case 'systempaths':
      if (value !== 'unconfined')
        refuse(`invalid systempaths option ${quoted(value)}, only \`unconfined\` is supported`);
      draft.unmask.push('ALL');
      return;
    default:
      refuse(`invalid --security-opt 2: ${quoted(option)}`);
  }
}

export interface SecurityFlags {
  readonly securityOpt: readonly string[];
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly privileged: boolean;
  readonly readOnly: boolean;
}

/** --security-opt, --cap-add, --cap-drop, --privileged and --read-only together. Throws USAGE. */
export function parseSecurity(flags: SecurityFlags): SecurityOptions {
  const draft: Draft = {
    noNewPrivileges: false,
    seccomp: undefined,
    apparmor: undefined,
    mask: [],
    unmask: [],
  };
  for (const option of flags.securityOpt) apply(draft, option);
  const capAdd = parseCapabilities(flags.capAdd);
  const capDrop = parseCapabilities(flags.capDrop);
  checkConflicts(capAdd, capDrop);
  return { ...draft, privileged: flags.privileged, capAdd, capDrop, readOnlyRootfs: flags.readOnly };
}
