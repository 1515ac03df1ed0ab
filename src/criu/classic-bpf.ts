/**
 * Classic BPF as seccomp takes it (linux/filter.h, kernel/seccomp.c seccomp_check_filter), judged without running it: what
 * a filter may answer to a system call whatever its arguments are.
 */

/** A call by its number and its AUDIT_ARCH (linux/audit.h). */
export interface SystemCall {
  readonly number: number;
  readonly arch: number;
}

/** A word that is known, or any. */
type Word = number | undefined;

interface State {
  readonly at: number;
  readonly a: Word;
  readonly x: Word;
  readonly memory: readonly Word[];
}

interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** sizeof(struct sock_filter) */
const INSTRUCTION_BYTES = 8;
/** sizeof(struct seccomp_data): number, arch, instruction pointer and six arguments. */
const DATA_BYTES = 64;
const NUMBER_OFFSET = 0;
const ARCH_OFFSET = 4;

/** SECCOMP_RET_ACTION_FULL and the actions with which no call is made (linux/seccomp.h). */
const ACTION_MASK = 0xffff0000;
const KILL_PROCESS = 0x80000000;
const KILL_THREAD = 0;
const TRAP = 0x00030000;
const ERRNO = 0x00050000;
const REFUSALS: readonly number[] = [KILL_PROCESS, KILL_THREAD, TRAP, ERRNO];

/** Distinct states of one filter and one call. The default filters need about as many as they have instructions. */
const MAX_STATES = 20_000;

/**
 * Whether a filter refuses a call on every path, so that no arguments let it through. False also for programs that the
 * kernel would not take, and for ones too intricate to follow.
 */
export function refusesAlways(program: Uint8Array, call: SystemCall): boolean {
  const code = instructionsOf(program);
  const seen = new Set<string>();
  const pending: State[] = [{ at: 0, a: 0, x: 0, memory: [] }];
  for (let state = pending.pop(); state !== undefined; state = pending.pop()) {
    const key = `${state.at} ${state.a} ${state.x} ${state.memory.join()}`;
    if (seen.has(key)) continue;
    if (seen.size >= MAX_STATES) return false;
    seen.add(key);
    const next = step(code[state.at], state, call);
    if (next === 'passes') return false;
    if (next !== 'refused') pending.push(...next);
  }
  return true;
}

function instructionsOf(program: Uint8Array): Instruction[] {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  return Array.from({ length: Math.floor(program.byteLength / INSTRUCTION_BYTES) }, (_, index) => {
    const at = index * INSTRUCTION_BYTES;
    return {
      code: view.getUint16(at, true),
      jt: view.getUint8(at + 2),
      jf: view.getUint8(at + 3),
      k: view.getUint32(at + 4, true),
    };
  });
}

/** The low three bits of an instruction's code. */
const CLASS = { ld: 0, ldx: 1, st: 2, stx: 3, alu: 4, jmp: 5, ret: 6, misc: 7 } as const;
const USES_X = 0x08;

/** What may come after an instruction; `passes` for whatever is not a refusal for certain. */
function step(
  instruction: Instruction | undefined,
  state: State,
  call: SystemCall,
): readonly State[] | 'passes' | 'refused' {
  if (instruction === undefined) return 'passes';
  const { code, k } = instruction;
  const at = state.at + 1;
  switch (code & 7) {
    case CLASS.ld: {
      const a = loaded(code, k, state, call);
      return a === 'invalid' ? 'passes' : [{ ...state, at, a }];
    }
    case CLASS.ldx: {
      const x = loaded(code & ~1, k, state, call);
      return x === 'invalid' ? 'passes' : [{ ...state, at, x }];
    }
    case CLASS.st:
    case CLASS.stx: {
      if (k > 15) return 'passes';
      const value = (code & 7) === CLASS.st ? state.a : state.x;
      return [
        { ...state, at, memory: Array.from({ length: 16 }, (_, i) => (i === k ? value : state.memory[i])) },
      ];
    }
    case CLASS.alu:
      return [{ ...state, at, a: computed(code & 0xf0, state.a, (code & USES_X) === 0 ? k : state.x) }];
    case CLASS.jmp:
      return jumps(instruction, state);
    case CLASS.ret:
      return isRefusal((code & 0x18) === 0x10 ? state.a : k) ? 'refused' : 'passes';
    default:
      return [code === 0x87 ? { ...state, at, a: state.x } : { ...state, at, x: state.a }];
  }
}

const isRefusal = (value: Word): boolean =>
  value !== undefined && REFUSALS.includes((value & ACTION_MASK) >>> 0);

/** Modes of a load: a constant, a word of the call's data, of the program's memory, or the data's size. */
const MODE = { constant: 0x00, data: 0x20, memory: 0x60, size: 0x80 } as const;

function loaded(code: number, k: number, { memory }: State, { number, arch }: SystemCall): Word | 'invalid' {
  switch (code) {
    case MODE.constant:
      return k;
    case MODE.size:
      return DATA_BYTES;
    case MODE.memory:
      return k > 15 ? 'invalid' : memory[k];
    case MODE.data:
      if (k % 4 !== 0 || k >= DATA_BYTES) return 'invalid';
      return k === NUMBER_OFFSET ? number : k === ARCH_OFFSET ? arch : undefined;
    default:
      return 'invalid';
  }
}

function computed(operation: number, a: Word, operand: Word): Word {
  if (a === undefined || (operand === undefined && operation !== 0x80)) return undefined;
  const b = operand ?? 0;
  const compute: Readonly<Record<number, () => number>> = {
    0: () => a + b,
    16: () => a - b,
    32: () => Math.imul(a, b),
    48: () => (b === 0 ? 0 : Math.floor(a / b)),
    64: () => a | b,
    80: () => a & b,
    96: () => (b > 31 ? 0 : a << b),
    112: () => (b > 31 ? 0 : a >>> b),
    128: () => -a,
    160: () => a ^ b,
  };
  const result = compute[operation]?.();
  return result === undefined ? undefined : result >>> 0;
}

function jumps({ code, jt, jf, k }: Instruction, state: State): readonly State[] {
  const to = (distance: number): State => ({ ...state, at: state.at + 1 + distance });
  if ((code & 0xf0) === 0) return [to(k)];
  const b = (code & USES_X) === 0 ? k : state.x;
  if (state.a === undefined || b === undefined) return [to(jt), to(jf)];
  const holds = compared(code & 0xf0, state.a, b);
  return holds === undefined ? [to(jt), to(jf)] : [to(holds ? jt : jf)];
}

function compared(operation: number, a: number, b: number): boolean | undefined {
  switch (operation) {
    case 0x10:
      return a === b;
    case 0x20:
      return a > b;
    case 0x30:
      return a >= b;
    case 0x40:
      return (a & b) >>> 0 !== 0;
    default:
      return undefined;
  }
}
