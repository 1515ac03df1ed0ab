import { refusesAlways, type SystemCall } from './classic-bpf.ts';

/** AUDIT_ARCH (linux/audit.h) of what a machine's kernel runs, its own first; x32 is x86-64's with a bit in the number. */
const ARCHES = {
  x86_64: 0xc000003e,
  x32: 0xc000003e,
  i386: 0x40000003,
  aarch64: 0xc00000b7,
  arm: 0x40000028,
  ppc64le: 0xc0000015,
  s390x: 0x80000016,
  s390: 0x16,
  riscv64: 0xc00000f3,
} as const;
type Abi = keyof typeof ARCHES;

/** __X32_SYSCALL_BIT (asm/unistd.h) */
const X32_BIT = 0x40000000;

/** By machine in the words of `uname -m`. */
const ABIS: Readonly<Record<string, readonly Abi[]>> = {
  x86_64: ['x86_64', 'x32', 'i386'],
  aarch64: ['aarch64', 'arm'],
  arm: ['arm'],
  ppc64le: ['ppc64le'],
  s390x: ['s390x', 's390'],
  riscv64: ['riscv64'],
};

type Numbers = readonly (number | undefined)[];
const NONE = undefined;

/**
 * System calls that every default profile of podman's and cryopod's refuses without the capability, if any, that opens
 * them: the capability, then the numbers in the order of {@link ARCHES} (the kernel's syscall tables).
 */
const CALLS: Readonly<Record<string, readonly [capability: string | undefined, numbers: Numbers]>> = {
  acct: ['CAP_SYS_PACCT', [163, 163, 51, 89, 51, 51, 51, 51, 89]],
  add_key: [NONE, [248, 248, 286, 217, 309, 269, 278, 278, 217]],
  bpf: ['CAP_SYS_ADMIN', [321, 321, 357, 280, 386, 361, 351, 351, 280]],
  clock_settime: ['CAP_SYS_TIME', [227, 227, 264, 112, 262, 245, 259, 259, 112]],
  clock_settime64: ['CAP_SYS_TIME', [NONE, NONE, 404, NONE, 404, NONE, NONE, 404, NONE]],
  delete_module: ['CAP_SYS_MODULE', [176, 176, 129, 106, 129, 129, 129, 129, 106]],
  finit_module: ['CAP_SYS_MODULE', [313, 313, 350, 273, 379, 353, 344, 344, 273]],
  init_module: ['CAP_SYS_MODULE', [175, 175, 128, 105, 128, 128, 128, 128, 105]],
  ioperm: ['CAP_SYS_RAWIO', [173, 173, 101, NONE, NONE, 101, NONE, 101, NONE]],
  iopl: ['CAP_SYS_RAWIO', [172, 172, 110, NONE, NONE, 110, NONE, NONE, NONE]],
  kexec_file_load: [NONE, [320, 320, NONE, 294, 401, 382, 381, 381, 294]],
  kexec_load: [NONE, [246, 528, 283, 104, 347, 268, 277, 277, 104]],
  lookup_dcookie: ['CAP_SYS_ADMIN', [212, 212, 253, 18, 249, 235, 110, 110, 18]],
  open_by_handle_at: ['CAP_DAC_READ_SEARCH', [304, 304, 342, 265, 371, 346, 336, 336, 265]],
  perf_event_open: ['CAP_SYS_ADMIN', [298, 298, 336, 241, 364, 319, 331, 331, 241]],
  quotactl: ['CAP_SYS_ADMIN', [179, 179, 131, 60, 131, 131, 131, 131, 60]],
  setdomainname: ['CAP_SYS_ADMIN', [171, 171, 121, 162, 121, 121, 121, 121, 162]],
  sethostname: ['CAP_SYS_ADMIN', [170, 170, 74, 161, 74, 74, 74, 74, 161]],
  settimeofday: ['CAP_SYS_TIME', [164, 164, 79, 170, 79, 79, 79, 79, 170]],
  stime: ['CAP_SYS_TIME', [NONE, NONE, 25, NONE, NONE, 25, NONE, 25, NONE]],
  swapoff: [NONE, [168, 168, 115, 225, 115, 115, 115, 115, 225]],
  swapon: [NONE, [167, 167, 87, 224, 87, 87, 87, 87, 224]],
  userfaultfd: [NONE, [323, 323, 374, 282, 388, 364, 355, 355, 282]],
  vhangup: ['CAP_SYS_TTY_CONFIG', [153, 153, 111, 58, 111, 111, 111, 111, 58]],
};

/** Names of the calls that no default profile gives to a container with these capabilities. */
export const guardedCalls = (capabilities: readonly string[]): string[] =>
  Object.entries(CALLS)
    .filter(([, [capability]]) => capability === undefined || !capabilities.includes(capability))
    .map(([name]) => name);

/**
 * Those of the calls that a process may make under filters, of which each refuses what it likes. On a machine that is not
 * known, all of them. Pure.
 */
export const openCalls = (
  filters: readonly Uint8Array[],
  machine: string | undefined,
  names: readonly string[],
): string[] => {
  const abis = ABIS[machine ?? ''];
  if (abis === undefined) return [...names];
  const isOpen = (call: SystemCall): boolean => !filters.some((filter) => refusesAlways(filter, call));
  return names.filter((name) => abis.some((abi) => callsOf(name, abi).some(isOpen)));
};

function callsOf(name: string, abi: Abi): SystemCall[] {
  const number = CALLS[name]?.[1][Object.keys(ARCHES).indexOf(abi)];
  if (number === undefined) return [];
  return [{ number: abi === 'x32' ? number + X32_BIT : number, arch: ARCHES[abi] }];
}
