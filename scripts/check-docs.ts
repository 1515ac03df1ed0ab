import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { homedir, hostname } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { ERROR_TABLE } from '../src/model/errors.ts';

/**
 * Checks the docs against the code, so that they cannot drift apart in silence; with `--write` (`npm run docs`) makes
 * the generated ones anew.
 */

const root = dirname(import.meta.dirname);
const ERRORS_PATH = 'docs/errors.md';

/** docs/errors.md, made from the one error table. */
export function renderErrors(
  table: Readonly<Record<string, { exit: number; http: number; summary: string }>>,
): string {
  const rows = Object.entries(table).map(
    ([code, kind]) =>
      `| \`${code}\` | ${kind.exit} | ${kind.http} | ${kind.summary.replaceAll('|', '\\|')} |`,
  );
  return [
    '# Errors',
    '',
    'Made by `npm run docs` from the error table in [src/model/errors.ts](../src/model/errors.ts).',
    '',
    'An error is one line that says what was tried and why it did not work, with a hint on what to do next and, where',
    'a tool failed, the decisive lines of its log and the path where that log is kept.',
    '',
    '| code | exit status | HTTP status | meaning |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

/** Links of a Markdown text that point to files which do not exist: `path:line: sentence`. */
export function brokenLinks(path: string, text: string, exists: (path: string) => boolean): string[] {
  const problems: string[] = [];
  for (const { line, number } of proseLines(text)) {
    for (const [, target = ''] of line.matchAll(/\]\(([^)\s]+)\)/g)) {
      const file = decodeURI(target.replace(/#.*$/, ''));
      if (file === '' || /^[a-z]+:/i.test(file)) continue;
      if (!exists(join(dirname(path), file)))
        problems.push(`${path}:${number}: links to ${file}, which does not exist`);
    }
  }
  return problems;
}

/** Lines outside fenced code blocks, with their numbers. */
function proseLines(text: string): { line: string; number: number }[] {
  let fenced = false;
  const lines: { line: string; number: number }[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*```/.test(line)) fenced = !fenced;
    else if (!fenced) lines.push({ line: line.replace(/`[^`]*`/g, ''), number: index + 1 });
  }
  return lines;
}

/** Occurrences of words that a reader on another machine could not use: `path:line: sentence`. */
export function machineWords(path: string, text: string, words: readonly string[]): string[] {
  return text
    .split('\n')
    .flatMap((line, index) =>
      words
        .filter((word) => line.includes(word))
        .map((word) => `${path}:${index + 1}: names ${word}, which exists on this machine only`),
    );
}

/** Paths and names of the machine that runs the check; names too short to be telling are left out. */
function wordsOfThisMachine(): string[] {
  const home = homedir() === '/root' ? '' : homedir();
  return [`${root}/`, home, hostname()].filter((word) => word.length > 5 && word !== 'localhost');
}

async function textFiles(): Promise<string[]> {
  const patterns = [
    '*.md',
    'docs/**/*.md',
    'src/**/*.ts',
    'test/**/*.ts',
    'bench/**/*.ts',
    'scripts/**/*',
    'bin/*',
  ];
  const found: string[] = [];
  for await (const path of glob(patterns, { cwd: root }))
    if (statSync(join(root, path)).isFile()) found.push(path);
  return found.sort((a, b) => (a < b ? -1 : 1));
}

async function problemsOfAll(): Promise<string[]> {
  const problems: string[] = [];
  const errors = join(root, ERRORS_PATH);
  if (!existsSync(errors) || readFileSync(errors, 'utf8') !== renderErrors(ERROR_TABLE))
    problems.push(`${ERRORS_PATH}:1: differs from the error table; run 'npm run docs'`);
  for (const path of await textFiles()) {
    const text = readFileSync(join(root, path), 'utf8');
    problems.push(...machineWords(path, text, wordsOfThisMachine()));
    if (path.endsWith('.md'))
      problems.push(...brokenLinks(join(root, path), text, existsSync).map((line) => relative(root, line)));
  }
  return problems;
}

if (import.meta.main) {
  if (process.argv.includes('--write')) {
    writeFileSync(join(root, ERRORS_PATH), renderErrors(ERROR_TABLE));
  } else {
    const problems = await problemsOfAll();
    for (const problem of problems) console.error(problem);
    process.exitCode = problems.length > 0 ? 1 : 0;
  }
}
