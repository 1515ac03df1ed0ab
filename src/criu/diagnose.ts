import { DUMP_RULES } from './dump-rules.ts';
import { loggedCommands } from './log-view.ts';
import { RESTORE_RULES } from './restore-rules.ts';

/** What is known about the processes beside the log, so that a PID becomes a name. */
export interface DiagnosisFacts {
  /** Command names by PID, in the PID namespace that the log speaks of. */
  readonly processes: ReadonlyMap<number, string>;
  /** The process with a unix socket that leads out of the container, for logs that do not name it. */
  readonly external: string | undefined;
}

/** The place in a log where a rule has matched. */
export interface Scene {
  readonly lines: readonly string[];
  /** Index of the line that matched. */
  readonly at: number;
  /** The process that the line is about: `process 7 (redis-server)`, or `a process`. */
  readonly who: string;
  /** Names another process in the same form. */
  readonly name: (pid: number) => string;
  readonly external: string | undefined;
}

/** One failure that CRIU tells of in its log, in a user's words. */
export interface Rule {
  readonly pattern: RegExp;
  /** What could not be saved or restored and why: a clause without a full stop. */
  readonly explain: (match: RegExpExecArray, scene: Scene) => string;
  /** What to do about it. */
  readonly hint: string;
}

export interface Diagnosis {
  readonly sentence: string;
  readonly hint: string;
  /** The lines of the log that decided. */
  readonly lines: readonly string[];
}

type Phase = 'dump' | 'restore';

/** Errors that CRIU logs and then goes on: they decide nothing. */
const HARMLESS = [
  /rlimit: Can't setup RLIMIT_NOFILE/,
  /cgroupd: recv req error/,
  /Can't read link of fd/,
  /Unable to create netlink socket/,
];
/** Errors that only repeat that something before them failed. */
const CONSEQUENCES = [
  /Dump (?:files|core|mm|file locks|mappings) \(pid: \d+\) failed/,
  /Dumping FAILED/,
  /Restoring FAILED/,
  /Pre-dumping FAILED/,
  /exited, status=\d+/,
  /Unable to open fd=\d+ id=/,
  /Restorer fail \d+/,
  /`- Can't open vma/,
  /bfd: Error flushing image/,
  /Message reply from daemon is trimmed/,
];

/** Warnings that tell why the error after them happened. */
const TELLING_WARNINGS = /Warn\s+\(.*Unable to interrupt task/;

/** `(00.193135) Error (criu/sk-inet.c:200): …`; in a restore the PID that logs stands in between. */
const isError = (line: string): boolean =>
  (/\bError \(/.test(line) && !HARMLESS.some((pattern) => pattern.test(line))) || TELLING_WARNINGS.test(line);

const isConsequence = (line: string): boolean => CONSEQUENCES.some((pattern) => pattern.test(line));

const FALLBACK_HINT = 'The log tells more.';

/**
 * Reads dump.log (phase dump) or restore.log and says in one sentence what CRIU could not do. Always gives an answer:
 * where no rule fits, the first error of the log speaks for itself. Pure. Logs of CRIU 3.17 to 4.2 at level 4.
 */
export function diagnose(phase: Phase, log: string, facts: DiagnosisFacts): Diagnosis {
  const lines = log.split('\n');
  const errors = [...lines.keys()].filter((at) => isError(lines[at] ?? ''));
  const found = firstMatch(phase === 'dump' ? DUMP_RULES : RESTORE_RULES, lines, errors);
  if (found !== undefined) {
    const { rule, match, at } = found;
    const scene = sceneAt(phase, lines, at, facts);
    return { sentence: rule.explain(match, scene), hint: rule.hint, lines: decisive(lines, errors, at) };
  }
  const at = errors.find((index) => !isConsequence(lines[index] ?? '')) ?? errors[0];
  if (at === undefined) return { sentence: 'CRIU failed without saying why', hint: FALLBACK_HINT, lines: [] };
  const { who } = sceneAt(phase, lines, at, facts);
  const about = who === A_PROCESS ? '' : ` (at ${who})`;
  return {
    sentence: `CRIU says: ${messageOf(lines[at] ?? '')}${about}`,
    hint: FALLBACK_HINT,
    lines: decisive(lines, errors, at),
  };
}

function firstMatch(
  rules: readonly Rule[],
  lines: readonly string[],
  errors: readonly number[],
): { readonly rule: Rule; readonly match: RegExpExecArray; readonly at: number } | undefined {
  for (const at of errors) {
    for (const rule of rules) {
      const match = rule.pattern.exec(lines[at] ?? '');
      if (match !== null) return { rule, match, at };
    }
  }
  return undefined;
}

const messageOf = (line: string): string => line.replace(/^.*?(?:Error|Warn) +\([^)]*\):\s*/, '').trim();

/** The line itself and the errors after it that are not mere consequences, at most five. */
function decisive(lines: readonly string[], errors: readonly number[], at: number): string[] {
  const others = errors.filter((index) => index > at && !isConsequence(lines[index] ?? ''));
  return [at, ...others].slice(0, 5).map((index) => (lines[index] ?? '').trim());
}

const A_PROCESS = 'a process';

function sceneAt(phase: Phase, lines: readonly string[], at: number, facts: DiagnosisFacts): Scene {
  const logged = loggedCommands(lines);
  const name = (pid: number): string => {
    const command = facts.processes.get(pid) ?? logged.get(pid);
    return command === undefined ? `process ${pid}` : `process ${pid} (${command})`;
  };
  const pid = processAt(phase, lines, at);
  return { lines, at, who: pid === undefined ? A_PROCESS : name(pid), name, external: facts.external };
}

/**
 * The process that an error is about. The parasite and the restorer (`pie: 7: …`) and every line of a restore
 * (`(00.1)   7: …`) begin with it; a dump tells it in the line after (`Dump files (pid: 7) failed`).
 */
function processAt(phase: Phase, lines: readonly string[], at: number): number | undefined {
  const own = /^(?:\(\d+\.\d+\)\s*)?(?:pie: )?(\d+): /.exec((lines[at] ?? '').trimStart());
  if (own !== null) return Number(own[1]);
  if (phase === 'restore') return undefined;
  const after = lines.slice(at).filter(isError);
  const match = after.map((line) => /\(pid: (\d+)\)/.exec(line)).find((found) => found !== null);
  return match === undefined || match === null ? undefined : Number(match[1]);
}
