import { fail } from './errors.ts';

/** Linux signal names and numbers (signal(7), x86 and arm), without SIG. */
const SIGNALS: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  IOT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  STKFLT: 16,
  CHLD: 17,
  CLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  VTALRM: 26,
  PROF: 27,
  WINCH: 28,
  IO: 29,
  POLL: 29,
  PWR: 30,
  SYS: 31,
};
const RTMIN = 34;
const RTMAX = 64;

/** `SIGTERM`, `term`, `15`, `RTMIN+3` to the number. Errors: USAGE. */
export function parseSignal(text: string): number {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    if (number >= 1 && number <= RTMAX) return number;
  }
  const name = text.toUpperCase().replace(/^SIG/, '');
  const known = SIGNALS[name];
  if (known !== undefined) return known;
  const realtime = /^RT(MIN|MAX)([+-]\d+)?$/.exec(name);
  if (realtime !== null) {
    const number = (realtime[1] === 'MIN' ? RTMIN : RTMAX) + Number(realtime[2] ?? 0);
    if (number >= RTMIN && number <= RTMAX) return number;
  }
  return fail('USAGE', { message: `invalid signal: ${text}` });
}

/** `SIGTERM` for 15; real-time signals as `SIGRTMIN+n`. */
export function signalName(number: number): string {
  if (number >= RTMIN) return number === RTMIN ? 'SIGRTMIN' : `SIGRTMIN+${number - RTMIN}`;
  const name = Object.entries(SIGNALS).find(([, value]) => value === number)?.[0];
  return name === undefined ? String(number) : `SIG${name}`;
}
