import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type RunOptions, type RunResult, run } from '../../src/system/process.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts');

/** cryopod as a user calls it, on a store of its own. */
export interface Program {
  /** A directory for the test's files, beside the store. */
  readonly directory: string;
  readonly root: string;
  /** argv of the program with its store. */
  readonly argv: readonly string[];
  /** Runs a command to its end, whatever its exit status. */
  readonly call: (args: readonly string[], options?: RunOptions) => Promise<RunResult>;
  /** Runs a command that must succeed and say nothing on stderr; returns stdout. */
  readonly ok: (...args: readonly string[]) => Promise<string>;
  /** Runs a command that must fail with this exit status and words on stderr; returns stdout. */
  readonly refused: (exit: number, words: RegExp, ...args: readonly string[]) => Promise<string>;
}

/** A program on a new, empty store, for tests that start no container. Its files go when the test ends. */
export function program(t: TestContext): Program {
  const directory = mkdtempSync(join(tmpdir(), 'cryopod-cli-'));
  const root = join(directory, 'root');
  const argv = [process.execPath, MAIN, '--root', root, '--runroot', join(directory, 'run')];
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return driver(argv, directory, root);
}

/** The calls of {@link Program} for a cryopod whose files someone else removes. */
export function driver(argv: readonly string[], directory: string, root: string): Program {
  const call = (args: readonly string[], options: RunOptions = {}): Promise<RunResult> =>
    run([...argv, ...args], options);
  return {
    directory,
    root,
    argv,
    call,
    ok: async (...args) => {
      const result = await call(args);
      assert.equal(result.code, 0, `${args.join(' ')}: ${result.stderr}`);
      assert.equal(result.stderr, '', args.join(' '));
      return result.stdout;
    },
    refused: async (exit, words, ...args) => {
      const result = await call(args);
      assert.equal(result.code, exit, `${args.join(' ')}: ${result.stdout}${result.stderr}`);
      assert.match(result.stderr, words);
      assert.match(result.stderr, /^Error: /);
      return result.stdout;
    },
  };
}

/** stdout without its last line break, as lines. */
export const lines = (text: string): string[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n'));

/** JSON that the test trusts to have this shape. */
export const json = <T>(text: string): T => JSON.parse(text) as T;
