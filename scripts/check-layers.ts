import { readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path/posix';

/**
 * The architecture as a check: imports in src/ point down only, and layers on one level never import each other, so
 * that each layer can be read, tested and replaced knowing only what is below it. docs/architecture.md explains them.
 */

/** Levels from the bottom to the top. Layers on one level are siblings. */
const LEVELS: readonly (readonly string[])[] = [
  ['model'],
  ['system'],
  ['runtime', 'criu', 'image', 'rootfs', 'network', 'archive', 'state', 'wire'],
  ['engine/plan'],
  ['engine'],
  ['cli', 'api'],
  ['main.ts'],
];

/** Built-in modules without I/O, free for the layers that only compute. */
const PURE_MODULES = new Set(['node:path', 'node:path/posix', 'node:util', 'node:crypto', 'node:buffer']);
const PURE_LAYERS = new Set(['model', 'engine/plan']);

const MAX_LINES = 400;

interface Import {
  readonly target: string;
  readonly typeOnly: boolean;
  readonly lazy: boolean;
  readonly line: number;
}

/** What is wrong with one source file: lines `path:line: sentence that says why`. `path` starts with `src/`. */
export function checkFile(path: string, text: string): string[] {
  const problems: string[] = [];
  const report = (line: number, why: string) => problems.push(`${path}:${line}: ${why}`);
  const layer = layerOf(path);
  if (layer === undefined) {
    report(1, `belongs to no layer; the layers are ${LEVELS.flat().join(', ')}`);
    return problems;
  }
  const isTest = path.endsWith('.test.ts');
  const code = withoutComments(text);
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  if (lines > MAX_LINES)
    report(MAX_LINES + 1, `has ${lines} lines; split it, a file holds at most ${MAX_LINES}`);
  for (const item of importsOf(code)) {
    const why = item.target.startsWith('.')
      ? whyNotImport(layer, path, item)
      : whyNotPackage(layer, path, item, isTest);
    if (why !== undefined) report(item.line, why);
  }
  if (layer !== 'main.ts') {
    for (const match of code.matchAll(/\bprocess\.(exit|abort|reallyExit)\s*\(/g))
      report(
        lineAt(code, match.index),
        `process.${match[1]}() skips clean-up of callers; throw an error, only src/main.ts exits`,
      );
  }
  return problems;
}

function whyNotImport(layer: string, path: string, item: Import): string | undefined {
  const target = normalize(join(dirname(path), item.target));
  if (!target.startsWith('src/')) return `imports ${item.target}, which lies outside src/`;
  if (target.endsWith('.test.ts')) return `imports the test ${item.target}`;
  const other = layerOf(target);
  if (other === undefined) return `imports ${target}, which belongs to no layer`;
  if (other === layer) return whyNotWithinCli(path, target);
  const [from, to] = [levelOf(layer), levelOf(other)];
  if (from < to) return `${layer} imports ${target}: imports point down only, and ${other} is above ${layer}`;
  if (from === to)
    return `${layer} imports ${target}: siblings never import each other; let engine/ compose them or move what both need to model/ or system/`;
  if (PURE_LAYERS.has(layer) && other !== 'model' && !item.typeOnly)
    return `${layer} only computes: of ${other} it may import types ('import type'), not code`;
  return undefined;
}

const COMMAND = /^src\/cli\/commands\//;

/** One file per command, and no command calls another: what two of them share belongs to cli/ or engine/. */
function whyNotWithinCli(path: string, target: string): string | undefined {
  if (path.endsWith('.test.ts') || !COMMAND.test(path) || !COMMAND.test(target)) return undefined;
  return `a command imports the command ${target}; move what both need out of commands/`;
}

function whyNotPackage(layer: string, path: string, item: Import, isTest: boolean): string | undefined {
  if (item.target === 'koffi' && !item.lazy && !item.typeOnly)
    return 'koffi costs start-up time: import it where it is used (await import)';
  if (isTest) return undefined;
  if (PURE_LAYERS.has(layer) && item.target.startsWith('node:') && !PURE_MODULES.has(item.target))
    return `${layer} only computes and does no I/O; ${item.target} belongs to system/ or above`;
  if (item.target === 'node:child_process' && !item.typeOnly && layer !== 'system')
    return `child programs run through system/process.ts, which ends, bounds and names them; ${path} starts its own`;
  return undefined;
}

/** The layer that a path under src/ belongs to, or undefined. */
function layerOf(path: string): string | undefined {
  const [, first = '', second = ''] = path.split('/');
  if (first === 'main.ts') return first;
  if (first === 'engine' && second === 'plan') return 'engine/plan';
  return LEVELS.flat().find((layer) => layer === first);
}

const levelOf = (layer: string): number => LEVELS.findIndex((level) => level.includes(layer));

const lineAt = (text: string, index: number): number => text.slice(0, index).split('\n').length;

/** Blanks comments, keeping line numbers. Strings are matched first, so that `'http://x'` is no comment. */
function withoutComments(text: string): string {
  return text.replace(
    /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g,
    (match) => (match.startsWith('/') ? match.replace(/[^\n]/g, ' ') : match),
  );
}

function importsOf(code: string): Import[] {
  const statement = /\b(?:import|export)\s+(type\s)?(?:[\w*{}\s,$]*?\sfrom\s*)?['"]([^'"\n]+)['"]/g;
  const found = [...code.matchAll(statement)].map((match) => ({
    target: match[2] ?? '',
    typeOnly: match[1] !== undefined,
    lazy: false,
    line: lineAt(code, match.index),
  }));
  const lazy = [...code.matchAll(/(\btypeof\s+)?\bimport\s*\(\s*['"`]([^'"`\n]+)['"`]/g)].map((match) => ({
    target: match[2] ?? '',
    typeOnly: match[1] !== undefined,
    lazy: true,
    line: lineAt(code, match.index),
  }));
  return [...found, ...lazy];
}

if (import.meta.main) {
  process.chdir(dirname(import.meta.dirname));
  const problems: string[] = [];
  for await (const path of glob('src/**/*.ts')) problems.push(...checkFile(path, readFileSync(path, 'utf8')));
  problems.sort((a, b) => (a < b ? -1 : 1));
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) console.error(`layers: ${problems.length} problem(s)`);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
