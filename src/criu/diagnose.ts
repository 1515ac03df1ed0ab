import { DUMP_RULES } from './dump-rules.ts';
import { RESTORE_RULES } from './restore-rules.ts';

/** What is known about the processes, so that a PID in a log becomes a name. */
export interface DiagnosisFacts {
  /** Command names by PID, in the PID namespace that the log speaks of. */
  readonly processes: ReadonlyMap<number, string>;
  /** The process with a unix socket that leads out of the container, where one was found; CRIU does not name it. */
  readonly external: string | undefined;
}

/** One failure that CRIU tells of in its log, in a user's words. */
export interface Rule {
  readonly pattern: RegExp;
  /** What could not be saved or restored and why: a clause without a full stop. `who` names the process. */
  readonly explain: (match: RegExpExecArray, who: string) => string;
  /** What to do about it. */
  readonly hint: string;
  /** The log does not tell whose socket it is; the facts do. */
  readonly externalSocket?: boolean;
}

export interface Diagnosis {
  readonly sentence: string;
  readonly hint: string;
  /** The lines of the log that decided. */
  readonly lines: readonly string[];
}

/** Errors that CRIU logs and then goes on: they decide nothing. */
const HARMLESS = [
  /rlimit: Can't setup RLIMIT_NOFILE/,
  /cgroupd: recv req error/,
  /Can't read link of fd/,
  /Unable to create netlink socket/,
];
/** Errors that only repeat that something before them failed. */
const CONSEQUENCES = [
  /Dump (?:files|core|mm|file locks) \(pid: \d+\) failed/,
  /Dumping FAILED/,
  /Restoring FAILED/,
  /Pre-dumping FAILED/,
  /exited, status=\d+/,
  /Unable to open fd=\d+ id=/,
];

/** `(00.193135) Error (criu/sk-inet.c:200): …`; in a restore the PID that logs stands in between. */
const isError = (line: string): boolean =>
  /\bError \(/.test(line) && !HARMLESS.some((pattern) => pattern.test(line));

const FALLBACK_HINT = 'The log tells more.';

/**
 * Reads dump.log (phase dump) or restore.log and says in one sentence what CRIU could not do. Always gives an answer: where
 * no rule fits, the first error of the log speaks for itself. Pure.
 */
export function diagnose(phase: 'dump' | 'restore', log: string, facts: DiagnosisFacts): Diagnosis {
  const errors = log.split('\n').filter(isError);
  const rules = phase === 'dump' ? DUMP_RULES : RESTORE_RULES;
  for (const [index, line] of errors.entries()) {
    for (const { pattern, explain, hint, externalSocket } of rules) {
      const match = pattern.exec(line);
      if (match === null) continue;
      const known = externalSocket === true ? facts.external : undefined;
      const who = known ?? processOf(phase, errors.slice(index), facts.processes);
      return { sentence: explain(match, who), hint, lines: decisive(errors, line) };
    }
  }
  const [first] = errors.filter((line) => !CONSEQUENCES.some((pattern) => pattern.test(line)));
  const said = first ?? errors[0];
  return {
    sentence: said === undefined ? 'CRIU failed without saying why' : `CRIU says: ${messageOf(said)}`,
    hint: FALLBACK_HINT,
    lines: said === undefined ? [] : decisive(errors, said),
  };
}

const messageOf = (line: string): string => line.replace(/^.*?Error \([^)]*\):\s*/, '').trim();

/** The line itself and the other errors around it that are not mere consequences, at most five. */
function decisive(errors: readonly string[], line: string): string[] {
  const others = errors.filter(
    (other) => other !== line && !CONSEQUENCES.some((pattern) => pattern.test(other)),
  );
  return [line, ...others].slice(0, 5).map((text) => text.trim());
}

/**
 * CRIU tells the process in the line after a failed dump of it (`Dump files (pid: 7)`), and in front of a line of a
 * restore (`(00.1)   7: Error`).
 */
function processOf(
  phase: 'dump' | 'restore',
  following: readonly string[],
  processes: ReadonlyMap<number, string>,
): string {
  const pattern = phase === 'dump' ? /\(pid: (\d+)\)/ : /^\(\d+\.\d+\)\s+(\d+): /;
  const match = following.map((line) => pattern.exec(line)).find((found) => found !== null);
  if (match === undefined || match === null) return 'a process';
  const pid = Number(match[1]);
  const name = processes.get(pid);
  return name === undefined ? `process ${pid}` : `process ${pid} (${name})`;
}
