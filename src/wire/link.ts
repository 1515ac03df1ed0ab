import { fail } from '../model/errors.ts';
import { failRun, type RunResult, run } from '../system/process.ts';
import type { WireEnds } from './wire.ts';

/** A program whose stdin and stdout lead to the other host. */
export interface Link {
  readonly command: readonly string[];
  readonly ends: WireEnds;
  /** How it ended; never rejects. */
  readonly ended: Promise<RunResult>;
  /** Waits for the program's end, which its closed pipes are to bring about; ends it after so many milliseconds. */
  readonly close: (limit: number) => Promise<void>;
}

const RECEIVE = ['cryopod', 'receive'] as const;

/** Seconds between signs of life that ssh asks for, and how many it may miss. */
const KEEPALIVE = ['-o', 'ServerAliveInterval=5', '-o', 'ServerAliveCountMax=3'];

/**
 * The command that leads to the other host. `via` is split into words as rsync does with its -e: at blanks, with quotes
 * around what belongs together; nothing else is special. The host, where there is one, and `cryopod receive` follow it.
 * Errors: USAGE.
 */
export function linkCommand(host: string | undefined, via: string | undefined): readonly string[] {
  if (host?.startsWith('-') === true) fail('USAGE', { message: `${host} is no host` });
  if (via !== undefined) return [...splitWords(via), ...(host === undefined ? [] : [host]), ...RECEIVE];
  if (host === undefined) fail('USAGE', { message: 'a host to migrate to is missing' });
  return ['ssh', '-T', ...KEEPALIVE, '--', host, ...RECEIVE];
}

function splitWords(text: string): string[] {
  const words: string[] = [];
  const word = /(?:[^\s'"]+|'([^']*)'|"([^"]*)")/y;
  let current: string | undefined;
  for (let at = 0; at < text.length; ) {
    if (/\s/.test(text.charAt(at))) {
      if (current !== undefined) words.push(current);
      current = undefined;
      at += 1;
      continue;
    }
    word.lastIndex = at;
    const match = word.exec(text);
    if (match === null) return fail('USAGE', { message: `--via: a quote is not closed in ${text}` });
    current = (current ?? '') + (match[1] ?? match[2] ?? match[0]);
    at = word.lastIndex;
  }
  if (current !== undefined) words.push(current);
  if (words.length === 0) fail('USAGE', { message: '--via needs a command' });
  return words;
}

/** ssh finds the user's keys and agent by these. */
const PASSED_ON = ['SSH_AUTH_SOCK', 'USER', 'LOGNAME', 'KRB5CCNAME'];

/** Starts the command in a session of its own, so that a Ctrl-C reaches cryopod alone. Errors: PROGRAM_MISSING. */
export async function openLink(command: readonly string[]): Promise<Link> {
  const ending = new AbortController();
  const env = Object.fromEntries(
    PASSED_ON.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
  const started = Promise.withResolvers<WireEnds>();
  const ended = run(command, {
    stdin: 'pipe',
    stdout: 'stream',
    env,
    newSession: true,
    signal: ending.signal,
    onSpawn: ({ stdin, stdout }) => {
      if (stdin !== null && stdout !== null) started.resolve({ input: stdout, output: stdin });
    },
  });
  const first = await Promise.race([started.promise, ended]);
  if (!('input' in first)) return failRun(first, 'reach the other host');
  return {
    command,
    ends: first,
    ended,
    close: async (limit) => {
      const timer = setTimeout(() => ending.abort(), limit);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** Longest part of the program's own words that is shown. */
const MAX_WORDS = 2000;

/** What a link's program says about its end, for an error; empty where it says nothing. */
export function wordsOf({ command, missing, code, signal, stderr }: RunResult): string {
  if (missing) return `the program ${command[0]} is not installed`;
  const words = stderr.trim().slice(-MAX_WORDS).split('\n').slice(-5).join('; ');
  const ending = signal === undefined ? `ended with exit status ${code}` : `was killed by ${signal}`;
  return `${command[0]} ${ending}${words === '' ? '' : `: ${words}`}`;
}
