import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { VERSION } from '../../src/model/version.ts';
import { run } from '../../src/system/process.ts';
import { json, program } from './program.ts';

interface Diagnosis {
  readonly works: boolean;
  readonly checks: readonly { name: string; status: string; found: string; meaning?: string; fix?: string }[];
}

test('version tells it as text, as JSON and by a template.', async (t) => {
  const { ok } = program(t);
  assert.match(await ok('version'), new RegExp(`^Client: +cryopod\nVersion: +${VERSION}\n`));
  assert.equal(
    json<{ Client: { Version: string } }>(await ok('version', '--format', 'json')).Client.Version,
    VERSION,
  );
  assert.equal(await ok('version', '-f', '{{.Client.Version}}'), `${VERSION}\n`);
  assert.equal(await ok('--version'), `cryopod version ${VERSION}\n`);
});

test('info tells of host, store and programs as YAML, JSON and by a template.', async (t) => {
  const { ok, root } = program(t);
  assert.match(await ok('info'), /^host:\n {2}arch: /);
  const info = json<{
    host: { ociRuntime: { name: string }; conmon: { version: string } };
    store: { graphRoot: string };
  }>(await ok('system', 'info', '--format', 'json'));
  assert.equal(info.host.ociRuntime.name, 'runc');
  assert.match(info.host.conmon.version, /^conmon version/);
  assert.equal(info.store.graphRoot, root);
  assert.equal(await ok('info', '-f', '{{.Host.OCIRuntime.Name}} {{.Store.GraphRoot}}'), `runc ${root}\n`);
});

test('info names the runtime that --runtime chooses.', async (t) => {
  const { ok } = program(t);
  const runtimes = json<{ name: string }[]>(await ok('info', '-f', '{{json .Host.OCIRuntimes}}'));
  for (const { name } of runtimes) {
    assert.equal(await ok('--runtime', name, 'info', '-f', '{{.Host.OCIRuntime.Name}}'), `${name}\n`);
  }
});

test('doctor looks at everything, and its exit status says whether checkpoint and restore will work.', async (t) => {
  const { call } = program(t);
  const { code, stdout, stderr } = await call(['doctor', '--format', 'json']);
  const { works, checks } = json<Diagnosis>(stdout);
  assert.equal(stderr, '');
  assert.equal(code, works ? 0 : 1);
  assert.equal(
    works,
    checks.every(({ status }) => status !== 'fail'),
  );
  for (const name of ['CRIU', 'runtime runc', 'conmon', 'kernel', 'cgroups', 'space for the store']) {
    assert.ok(
      checks.some((check) => check.name === name),
      name,
    );
  }
  for (const { name, status, meaning } of checks) assert.equal(meaning === undefined, status === 'ok', name);
  const text = await call(['doctor']);
  assert.equal(text.code, code);
  assert.match(text.stdout, works ? /will work on this host\.\n$/ : /will not work on this host/);
});

test('doctor finds that a CRIU which says it works cannot freeze a process.', async (t) => {
  const { directory, call } = program(t);
  const tools = join(directory, 'tools');
  mkdirSync(join(tools, 'bin'), { recursive: true });
  const script =
    '#!/bin/sh\ncase $1 in --version) echo "Version: 4.2" ;; check) exit 0 ;; *) exit 1 ;; esac\n';
  writeFileSync(join(tools, 'bin', 'criu'), script, { mode: 0o755 });
  const { code, stdout } = await call(['doctor', '--format', 'json'], { env: { CRYOPOD_TOOLS: tools } });
  assert.equal(code, 1);
  const trial = json<Diagnosis>(stdout).checks.find(({ name }) => name === 'CRIU trial');
  assert.equal(trial?.status, 'fail');
  assert.match(trial.found, /dump of a test process failed/);
  assert.match(trial.fix ?? '', /setup\.sh/);
});

test('The completion script of bash completes commands and options.', async (t) => {
  const { ok, refused, directory } = program(t);
  const script = join(directory, 'completion');
  writeFileSync(script, await ok('completion', 'bash'));
  const complete = async (...words: string[]): Promise<string[]> => {
    const source =
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell expands it.
      'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _cryopod; echo "${COMPREPLY[*]}"';
    const { stdout } = await run(['bash', '-c', source, 'bash', script, ...words]);
    return stdout.trim().split(' ');
  };
  assert.deepEqual(await complete('cryopod', 'vol'), ['volume']);
  assert.ok((await complete('cryopod', 'volume', 'pr')).includes('prune'));
  assert.ok((await complete('cryopod', 'images', '--no-tr')).includes('--no-trunc'));
  assert.match(await ok('completion', 'zsh'), /#compdef cryopod/);
  assert.match(await ok('completion', 'fish'), /complete -c cryopod/);
  await refused(125, /no completion for the shell "csh"/, 'completion', 'csh');
});
