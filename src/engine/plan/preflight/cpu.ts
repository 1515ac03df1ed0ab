import { type Finding, obstacle, ok, warning } from './finding.ts';
import type { Cpu, ImportFacts } from './types.ts';

/**
 * Flags of /proc/cpuinfo on x86 that a program asks for and then acts on (instructions it may execute, registers it may
 * use). The others concern kernels, or speed alone; protection keys and MPX are asked for from the kernel.
 */
const PROGRAM_FLAGS =
  /^(sse\d?(_\d|a)?|pni|ssse3|avx.*|amx_.*|fma4?|f16c|xop|tbm|bmi\d|abm|popcnt|movbe|cx16|lahf_lm|adx|aes|vaes|v?pclmulqdq|sha_ni|sha512|sm3|sm4|gfni|rdrand|rdseed|rdpid|rdtscp|clflushopt|clwb|clzero|cldemote|movdiri|movdir64b|waitpkg|serialize|fsgsbase|rtm|user_shstk|xsave|xsaveopt|xsavec|xgetbv1|3dnow.*|mmxext|kl|widekl|enqcmd|cmpccxadd|prefetchi|raoint)$/;

/**
 * XSAVE components (Intel SDM vol. 1, 13.1) and the flag of a CPU that has them. Protection keys are left out, since the
 * kernel sets them for every process (arch/x86/mm/pkeys.c, init_pkru_value), and MPX, which no kernel since 5.6 knows.
 */
const COMPONENTS: readonly { readonly mask: bigint; readonly flag: string; readonly what: string }[] = [
  { mask: 1n << 2n, flag: 'avx', what: 'AVX' },
  { mask: 0b111n << 5n, flag: 'avx512f', what: 'AVX-512' },
  { mask: 0b11n << 17n, flag: 'amx_tile', what: 'AMX' },
];

/** What of the source's CPU programs can use and this one lacks. On other machines than x86 every flag is for programs. */
export function missingFlags(machine: string, source: Cpu, here: Cpu): string[] {
  const present = new Set(here.flags);
  const x86 = machine === 'x86_64' || machine === 'i686';
  return source.flags.filter((flag) => !present.has(flag) && (!x86 || PROGRAM_FLAGS.test(flag)));
}

/** Can the processes go on, on this CPU? Their registers must fit, and the instructions that they chose must exist. */
export function cpuFindings({ archive, needs, host }: ImportFacts, ignoreCpu: boolean): Finding[] {
  const { facts } = archive;
  const foreign = foreignMachine(facts?.host.architecture, needs?.machine, host);
  if (foreign !== undefined) {
    const sentence = `the processes are those of ${foreign} and this host is ${host.machine}`;
    return [obstacle('cpu', 'RESTORE_REFUSED', sentence, 'Restore it on a host of the same architecture.')];
  }
  const registers = lostRegisters(needs?.xstate ?? 0n, host.cpu);
  const missing = facts === undefined ? [] : missingFlags(host.machine, facts.host.cpu, host.cpu);
  if (registers.length > 0) {
    const sentence = `the processes use ${registers.join(', ')} registers, which this CPU (${host.cpu.model}) does not have`;
    return [judged(sentence, 'Restore it on a CPU that has them', ignoreCpu)];
  }
  if (facts !== undefined && missing.length > 0) {
    const sentence = `the CPU at the checkpoint (${facts.host.cpu.model}) had ${missing.join(', ')}, which this one (${host.cpu.model}) lacks: a program that uses them will be killed (SIGILL)`;
    return [judged(sentence, 'Restore it on a CPU that has them', ignoreCpu)];
  }
  if (facts !== undefined) {
    return [ok('cpu', `this CPU (${host.cpu.model}) has all that programs could use at the checkpoint`)];
  }
  return [
    warning(
      'cpu',
      'the archive does not tell which CPU it was made on: programs fail if they use instructions that this one lacks',
      'Compare both hosts: grep flags /proc/cpuinfo',
    ),
  ];
}

const judged = (sentence: string, advice: string, ignored: boolean): Finding =>
  ignored
    ? warning('cpu', sentence)
    : obstacle('cpu', 'RESTORE_REFUSED', sentence, `${advice}, or try with --ignore-cpu.`);

/** CRIU drops such registers in silence (criu/arch/x86/crtools.c, restore_fpu). */
const lostRegisters = (xstate: bigint, { flags }: Cpu): string[] =>
  COMPONENTS.filter(({ mask, flag }) => (xstate & mask) !== 0n && !flags.includes(flag)).map(
    ({ what }) => what,
  );

function foreignMachine(
  architecture: string | undefined,
  machine: string | undefined,
  host: ImportFacts['host'],
): string | undefined {
  if (machine !== undefined && machine !== host.machine) return machine;
  return architecture !== undefined && architecture !== host.architecture ? architecture : undefined;
}
