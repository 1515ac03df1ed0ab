import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { test } from 'node:test';
import { json, lines, program } from './program.ts';

interface Inspected {
  readonly Name: string;
  readonly Mountpoint: string;
  readonly Labels: Record<string, string>;
  readonly Options: Record<string, string>;
  readonly Scope: string;
}

test('A volume is made with a name, labels and an owner, and inspect tells them.', async (t) => {
  const { ok } = program(t);
  assert.equal(await ok('volume', 'create', '-l', 'app=db', '--opt', 'o=uid=5,gid=7', 'data'), 'data\n');
  const [volume] = json<Inspected[]>(await ok('volume', 'inspect', 'data'));
  assert.equal(volume?.Name, 'data');
  assert.deepEqual(volume.Labels, { app: 'db' });
  assert.equal(volume.Scope, 'local');
  const { uid, gid } = statSync(volume.Mountpoint);
  assert.deepEqual([uid, gid], [5, 7]);
  assert.equal(await ok('volume', 'inspect', '-f', '{{.Name}} {{.Labels.app}}', 'data'), 'data db\n');
});

test('A volume without a name gets a long random one.', async (t) => {
  const { ok } = program(t);
  assert.match(await ok('volume', 'create'), /^[0-9a-f]{64}\n$/);
});

test('A second volume of a name is refused, unless --ignore says otherwise.', async (t) => {
  const { ok, refused } = program(t);
  await ok('volume', 'create', 'data');
  await refused(
    125,
    /volume with name data already exists: volume already exists/,
    'volume',
    'create',
    'data',
  );
  assert.equal(await ok('volume', 'create', '--ignore', 'data'), 'data\n');
});

test('Drivers, mount options and names that cannot be are refused.', async (t) => {
  const { ok, refused } = program(t);
  await refused(125, /driver "nfs" is not supported/, 'volume', 'create', '-d', 'nfs', 'x');
  await refused(
    125,
    /volume option type=tmpfs is not supported/,
    'volume',
    'create',
    '-o',
    'type=tmpfs',
    'x',
  );
  await refused(125, /names must match/, 'volume', 'create', '../x');
  assert.equal(await ok('volume', 'ls', '-q'), '');
});

test('ls prints a table, names, templates and JSON, and filters.', async (t) => {
  const { ok, refused } = program(t);
  for (const name of ['web', 'db']) await ok('volume', 'create', '--label', `of=${name}`, name);
  assert.deepEqual(lines(await ok('volume', 'ls')), [
    'DRIVER      VOLUME NAME',
    'local       db',
    'local       web',
  ]);
  assert.deepEqual(lines(await ok('volume', 'ls', '-n')), ['local       db', 'local       web']);
  const shown = async (...filters: string[]): Promise<string[]> =>
    lines(await ok('volume', 'ls', '-q', ...filters.flatMap((filter) => ['--filter', filter])));
  assert.deepEqual(await shown('name=^d'), ['db']);
  assert.deepEqual(await shown('label=of=web'), ['web']);
  assert.deepEqual(await shown('label!=of=web'), ['db']);
  assert.deepEqual(await shown('dangling=true', 'driver=local', 'anonymous=false'), ['db', 'web']);
  assert.deepEqual(await shown('dangling=false'), []);
  assert.deepEqual(await shown('since=web'), ['db']);
  assert.deepEqual(await shown('until=1h'), []);
  assert.equal(await ok('volume', 'ls', '--format', '{{.Name}}:{{.Labels}}'), 'db:of=db\nweb:of=web\n');
  const all = json<Inspected[]>(await ok('volume', 'ls', '--format', 'json'));
  assert.deepEqual(
    all.map(({ Name }) => Name),
    ['db', 'web'],
  );
  await refused(125, /"size" is an invalid volume filter/, 'volume', 'ls', '--filter', 'size=1');
  await refused(125, /invalid filter: name/, 'volume', 'ls', '--filter', 'name');
  await refused(125, /must be true or false/, 'volume', 'ls', '--filter', 'dangling=maybe');
});

test('rm goes on past a volume that does not exist, and ends with 1.', async (t) => {
  const { ok, refused } = program(t);
  await ok('volume', 'create', 'data');
  assert.equal(
    await refused(1, /no volume with name "gone" found: no such volume/, 'volume', 'rm', 'gone', 'data'),
    'data\n',
  );
  await refused(125, /choose either one or more volumes or all/, 'volume', 'rm');
  assert.equal(await ok('volume', 'rm', '--force', 'gone'), '');
});

test('exists answers by its exit status alone.', async (t) => {
  const { ok, call } = program(t);
  await ok('volume', 'create', 'data');
  assert.equal(await ok('volume', 'exists', 'data'), '');
  const { code, stdout, stderr } = await call(['volume', 'exists', 'dat']);
  assert.deepEqual([code, stdout, stderr], [1, '', '']);
});

test('prune asks first, and removes named volumes only with --all.', async (t) => {
  const { ok, call } = program(t);
  await ok('volume', 'create', 'data');
  assert.equal(await ok('volume', 'prune', '--force'), '');
  const refusal = await call(['volume', 'prune', '--all'], { input: 'n\n' });
  assert.match(
    refusal.stdout,
    /WARNING! This will remove all volumes[\s\S]*data\nAre you sure you want to continue\? \[y\/N\] $/,
  );
  assert.equal(await ok('volume', 'prune', '--all', '--dry-run'), 'data\n');
  const consent = await call(['volume', 'prune', '--all'], { input: 'y\n' });
  assert.match(consent.stdout, /data\n$/);
  assert.equal(await ok('volume', 'ls', '-q'), '');
});
