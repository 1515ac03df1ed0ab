/**
 * Names of the state components of XSAVE by their bit in XSTATE_BV (Intel SDM volume 1, 13.1). Each stands for a feature
 * that the processor of the host of a restore must have too.
 */
const COMPONENTS: readonly (readonly [bit: bigint, name: string])[] = [
  [0n, 'x87'],
  [1n, 'sse'],
  [2n, 'avx'],
  [3n, 'mpx'],
  [4n, 'mpx'],
  [5n, 'avx512'],
  [6n, 'avx512'],
  [7n, 'avx512'],
  [9n, 'pkru'],
  [11n, 'cet'],
  [12n, 'cet'],
  [17n, 'amx'],
  [18n, 'amx'],
  [19n, 'apx'],
];

/** The components that a value of XSTATE_BV says are in use. */
export const componentNames = (xstateBv: bigint): string[] => [
  ...new Set(COMPONENTS.filter(([bit]) => ((xstateBv >> bit) & 1n) === 1n).map(([, name]) => name)),
];
