import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

const LAUNCHER = join(dirname(import.meta.dirname), 'bin/cryopod');

/** A project whose source and bundle print which of them ran, with their arguments; both as old as the other. */
function project(t: { after(fn: () => void): void }): string {
  const root = mkdtempSync(join(tmpdir(), 'cryopod-launcher-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const directory of ['bin', 'src/model', 'dist', 'elsewhere'])
    mkdirSync(join(root, directory), { recursive: true });
  cpSync(LAUNCHER, join(root, 'bin/cryopod'));
  writeFileSync(join(root, 'src/main.ts'), "console.log('source', ...process.argv.slice(2));\n");
  writeFileSync(join(root, 'src/model/a.ts'), '');
  writeFileSync(join(root, 'dist/cryopod.cjs'), "console.log('bundle', ...process.argv.slice(2));\n");
  writeFileSync(join(root, 'dist/sources.sh'), "sources='src/main.ts src/model/a.ts'\n");
  for (const file of ['src/main.ts', 'src/model/a.ts', 'dist/cryopod.cjs'])
    utimesSync(join(root, file), 1000, 1000);
  return root;
}

const output = (program: string, args: string[], cwd: string): string =>
  execFileSync(program, args, { cwd, encoding: 'utf8' }).trim();

test('the bundle runs while no source is newer, with the arguments untouched', (t) => {
  const root = project(t);
  assert.equal(output(join(root, 'bin/cryopod'), ['a  b', '', '*'], '/'), 'bundle a  b  *');
});

test('one newer source, however deep, makes the sources run', (t) => {
  const root = project(t);
  utimesSync(join(root, 'src/model/a.ts'), 1001, 1001);
  assert.equal(output(join(root, 'bin/cryopod'), ['x'], '/'), 'source x');
});

test('the executable runs instead of the bundle, unless a source is newer or Node is asked for', (t) => {
  const root = project(t);
  const executable = join(root, 'dist/cryopod');
  writeFileSync(executable, '#!/bin/sh\nexec printf "%s\\n" "executable $*"\n', { mode: 0o755 });
  const launcher = join(root, 'bin/cryopod');
  assert.equal(output(launcher, ['a  b'], '/'), 'executable a  b');
  const env = { ...process.env, CRYOPOD_ON_NODE: '1' };
  assert.equal(execFileSync(launcher, ['x'], { env, encoding: 'utf8' }).trim(), 'bundle x');
  utimesSync(join(root, 'src/model/a.ts'), 1001, 1001);
  assert.equal(output(launcher, ['x'], '/'), 'source x');
});

test('an option that Node knows as well is left to cryopod, in all its spellings', (t) => {
  const root = project(t);
  writeFileSync(
    join(root, 'src/main.ts'),
    "console.log(process.env.SECRET ?? 'unset', ...process.argv.slice(2));\n",
  );
  writeFileSync(join(root, 'elsewhere/file'), 'SECRET=1\n');
  const file = join(root, 'elsewhere/file');
  for (const args of [
    ['run', '--env-file', file],
    ['run', `--env-file=${file}`],
    ['run', '--env-file=missing'],
  ]) {
    assert.equal(output(join(root, 'bin/cryopod'), args, '/'), `unset ${args.join(' ')}`);
  }
});

test('without a bundle the sources run', (t) => {
  const root = project(t);
  rmSync(join(root, 'dist'), { recursive: true });
  assert.equal(output(join(root, 'bin/cryopod'), [], '/'), 'source');
});

test('it starts through absolute, relative and chained links and as a relative path', (t) => {
  const root = project(t);
  symlinkSync(join(root, 'bin/cryopod'), join(root, 'elsewhere/absolute'));
  symlinkSync('../bin/cryopod', join(root, 'elsewhere/relative'));
  symlinkSync('relative', join(root, 'elsewhere/chained'));
  for (const link of ['absolute', 'relative', 'chained'])
    assert.equal(output(join(root, 'elsewhere', link), ['x'], '/'), 'bundle x', link);
  assert.equal(output('./chained', ['x'], join(root, 'elsewhere')), 'bundle x');
  assert.equal(output('sh', ['cryopod', 'x'], join(root, 'bin')), 'bundle x');
});

test('without Node 24 it says what to run', (t) => {
  const root = project(t);
  const env = { PATH: join(root, 'elsewhere'), CRYOPOD_TOOLS: join(root, 'nothing') };
  const result = spawnSync('/bin/sh', [join(root, 'bin/cryopod')], { env, encoding: 'utf8' });
  assert.equal(result.status, 125);
  assert.match(result.stderr, /needs Node\.js 24: run 'sh .*\/scripts\/setup\.sh'/);
});
