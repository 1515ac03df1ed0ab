import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkFile } from './check-layers.ts';

const onlyProblem = (path: string, text: string): string => {
  const problems = checkFile(path, text);
  assert.equal(problems.length, 1, problems.join('\n'));
  return problems[0] ?? '';
};
const clean = (path: string, text: string): void => assert.deepEqual(checkFile(path, text), []);

test('imports that point down are fine', () => {
  clean(
    'src/engine/run.ts',
    "import { runc } from '../runtime/runc.ts';\nimport { id } from '../model/ids.ts';\n",
  );
  clean('src/main.ts', "import { cli } from './cli/main.ts';\nprocess.exit(1);\n");
  clean('src/runtime/runc.ts', "import { x } from './spec/y.ts';\n");
});

test('an import that points up is named with both layers and its line', () => {
  assert.equal(
    onlyProblem('src/model/a.ts', "\nimport { b } from '../system/b.ts';\n"),
    'src/model/a.ts:2: model imports src/system/b.ts: imports point down only, and system is above model',
  );
});

test('siblings cannot import each other, types included', () => {
  assert.match(
    onlyProblem('src/criu/a.ts', "import type { B } from '../state/b.ts';\n"),
    /siblings never import/,
  );
  assert.match(onlyProblem('src/cli/a.ts', "export { b } from '../api/b.ts';\n"), /siblings never import/);
});

test('an import over several lines, a bare import and a lazy import are all seen', () => {
  assert.match(
    onlyProblem('src/state/a.ts', "import {\n  a,\n  b,\n} from '../engine/b.ts';\n"),
    /a\.ts:1: .*above/,
  );
  assert.match(onlyProblem('src/state/a.ts', "import '../engine/b.ts';\n"), /above/);
  assert.match(onlyProblem('src/state/a.ts', "const b = await import('../engine/b.ts');\n"), /above/);
});

test('plans take only types from the layers between', () => {
  clean('src/engine/plan/a.ts', "import type { B } from '../../criu/b.ts';\n");
  assert.match(
    onlyProblem('src/engine/plan/a.ts', "import { b } from '../../criu/b.ts';\n"),
    /only computes/,
  );
  assert.match(onlyProblem('src/engine/plan/a.ts', "import { readFile } from 'node:fs';\n"), /no I\/O/);
  assert.match(onlyProblem('src/engine/plan/a.ts', "import { b } from '../run.ts';\n"), /above/);
});

test('only main.ts exits, and a comment or string about it is no exit', () => {
  assert.match(onlyProblem('src/cli/a.ts', 'process.exit(1);\n'), /only src\/main\.ts exits/);
  clean('src/cli/a.ts', "// process.exit(1)\n/* import '../main.ts' */\nconst a = 'x // y';\n");
});

test('a comment after a string with slashes is still a comment', () => {
  clean('src/cli/a.ts', "const url = 'https://example.org'; // process.exit(1)\n");
});

test('a command cannot import another command', () => {
  clean('src/cli/commands/run.ts', "import { x } from '../render/x.ts';\n");
  assert.match(
    onlyProblem('src/cli/commands/run.ts', "import { x } from './create.ts';\n"),
    /command imports/,
  );
});

test('child programs start in system/ only, tests excepted', () => {
  const text = "import { spawn } from 'node:child_process';\n";
  clean('src/system/process.ts', text);
  clean('src/runtime/runc.test.ts', text);
  assert.match(onlyProblem('src/runtime/runc.ts', text), /system\/process\.ts/);
});

test('koffi is imported lazily', () => {
  clean('src/system/libc.ts', "const koffi = await import('koffi');\nimport type { A } from 'koffi';\n");
  assert.match(onlyProblem('src/system/libc.ts', "import koffi from 'koffi';\n"), /start-up time/);
});

test('a file longer than 400 lines and a file outside every layer are refused', () => {
  assert.match(onlyProblem('src/cli/a.ts', '\n'.repeat(401)), /has 401 lines/);
  clean('src/cli/a.ts', '\n'.repeat(400));
  assert.match(onlyProblem('src/helpers/a.ts', ''), /belongs to no layer/);
});
