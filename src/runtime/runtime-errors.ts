import { type ErrorCode, type ErrorDetails, fail } from '../model/errors.ts';

/** The message of the last error that a runtime wrote as JSON lines (`--log-format json`), or undefined. */
export function lastLoggedError(text: string): string | undefined {
  for (const line of text.split('\n').toReversed()) {
    const record = parseRecord(line);
    if (record?.level === 'error' || record?.level === 'fatal') return record.msg;
  }
  return undefined;
}

function parseRecord(line: string): { readonly level: string; readonly msg: string } | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null || !('msg' in value)) return undefined;
    // crun of Debian 12 writes errors without a level.
    const level = 'level' in value ? String(value.level) : 'error';
    return { level, msg: String(value.msg) };
  } catch {
    // A line cut off by a bounded buffer is no record.
    return undefined;
  }
}

/** What a runtime said: its logged error, else its last plain line. */
export const decisiveLine = (output: string): string =>
  lastLoggedError(output) ?? output.trim().split('\n').at(-1)?.trim() ?? '';

const ABOUT_COMMAND = /exec|executable/i;
const NOT_FOUND = /executable file .*not found in|no such file or directory|open executable/i;
const NOT_EXECUTABLE = /permission denied|operation not permitted|is a directory|exec format error/i;

interface Verdict {
  readonly code: ErrorCode;
  readonly ending: string;
}

function classify(message: string): Verdict {
  const aboutCommand = ABOUT_COMMAND.test(message);
  if (aboutCommand && NOT_EXECUTABLE.test(message)) {
    return { code: 'COMMAND_NOT_EXECUTABLE', ending: 'OCI permission denied' };
  }
  if (aboutCommand && NOT_FOUND.test(message) && !/mount/i.test(message)) {
    return {
      code: 'COMMAND_NOT_FOUND',
      ending: 'OCI runtime attempted to invoke a command that was not found',
    };
  }
  return { code: 'RUNTIME_FAILED', ending: 'OCI runtime error' };
}

/**
 * Fails with what the runtime said, in podman's words: COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE or RUNTIME_FAILED.
 * `name` is the runtime's, `message` its decisive line.
 */
export function failRuntime(name: string, message: string, details: Partial<ErrorDetails> = {}): never {
  const { code, ending } = classify(message);
  const said = message === '' ? 'it failed without a message' : message;
  fail(code, { ...details, message: `${name}: ${said}: ${ending}` });
}
