import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { importBusybox } from './busybox.ts';
import { json, type Program, program } from './program.ts';
import { CREDENTIALS, freePort, startRegistry } from './registry.ts';

const digestOf = async ({ ok }: Program, name: string): Promise<string> =>
  (await ok('image', 'inspect', '-f', '{{.Digest}}', name)).trim();

test('An image that was pushed is pulled elsewhere as the same image.', async (t) => {
  const registry = await startRegistry(t);
  const [here, there] = [program(t), program(t)];
  const name = `${registry}/team/base:1`;
  const id = await importBusybox(here, name, '-c', 'LABEL of=test');
  const digestFile = join(here.directory, 'digest');
  await here.ok('push', '--quiet', '--tls-verify=false', '--digestfile', digestFile, name);
  assert.match(readFileSync(digestFile, 'utf8'), /^sha256:[0-9a-f]{64}$/);
  assert.equal(await there.ok('pull', '-q', '--tls-verify=false', name), `${id}\n`);
  assert.equal(await there.ok('images', '--format', '{{.Repository}}:{{.Tag}}'), `${name}\n`);
  assert.equal(await digestOf(there, name), readFileSync(digestFile, 'utf8'));
  assert.equal(await there.ok('image', 'inspect', '-f', '{{.Config.Labels.of}}', 'team/base:1'), 'test\n');
});

test('pull tells on stderr what it does and prints only the ID on stdout; a second pull brings the same.', async (t) => {
  const registry = await startRegistry(t);
  const cryopod = program(t);
  const id = await importBusybox(cryopod, 'base');
  const name = `${registry}/base`;
  const push = await cryopod.call(['push', '--tls-verify=false', 'base', `docker://${name}`]);
  assert.deepEqual([push.code, push.stdout], [0, '']);
  assert.match(push.stderr, /Copying blob/);
  for (const expected of [/Trying to pull .*\/base\.\.\./, /Trying to pull/]) {
    const pull = await cryopod.call(['pull', '--tls-verify=false', name]);
    assert.deepEqual([pull.code, pull.stdout], [0, `${id}\n`]);
    assert.match(pull.stderr, expected);
  }
});

test('pull by digest, by policy, and of a moved tag.', async (t) => {
  const registry = await startRegistry(t);
  const [here, there] = [program(t), program(t)];
  const name = `${registry}/base:1`;
  const pull = (...flags: string[]): Promise<string> =>
    there.ok('pull', '-q', '--tls-verify=false', ...flags);
  const first = await importBusybox(here, name);
  await here.ok('push', '-q', '--tls-verify=false', name);
  assert.equal(await pull(name), `${first}\n`);
  const digest = await digestOf(there, name);
  const second = await importBusybox(here, name, '-m', 'moved');
  await here.ok('push', '-q', '--tls-verify=false', name);
  assert.equal(await pull('--policy=missing', name), `${first}\n`);
  assert.equal(await pull('--policy=newer', name), `${second}\n`);
  assert.equal(await there.ok('images', '-q', '-f', 'dangling=true'), `${first.slice(0, 12)}\n`);
  assert.equal(await pull(`${registry}/base@${digest}`), `${first}\n`);
});

test('A registry that wants credentials gets them from --creds or a file, and refuses without.', async (t) => {
  const registry = await startRegistry(t, { auth: true });
  const cryopod = program(t);
  await importBusybox(cryopod, 'base');
  const name = `${registry}/base:1`;
  const flags = ['--quiet', '--tls-verify=false'];
  await cryopod.refused(125, /authentication required|unauthorized/i, 'push', ...flags, 'base', name);
  await cryopod.refused(
    125,
    /unauthorized|authentication|invalid username/i,
    'push',
    ...flags,
    '--creds',
    'tester:wrong',
    'base',
    name,
  );
  await cryopod.ok('push', ...flags, '--creds', CREDENTIALS, 'base', name);
  const authfile = join(cryopod.directory, 'auth.json');
  const auth = Buffer.from(CREDENTIALS).toString('base64');
  writeFileSync(authfile, JSON.stringify({ auths: { [registry]: { auth } } }));
  await cryopod.ok('pull', ...flags, '--authfile', authfile, name);
});

test('The error of a pull says what is wrong and how an image comes in without a registry.', async (t) => {
  const registry = await startRegistry(t);
  const cryopod = program(t);
  const { refused, ok } = cryopod;
  const closed = `127.0.0.1:${await freePort()}/team/base:1`;
  await refused(
    125,
    /could not pull .*team\/base:1: .*connection refused[\s\S]*cryopod load .* or import/,
    'pull',
    '-q',
    closed,
  );
  await refused(
    125,
    /manifest unknown[\s\S]*does not have this image/,
    'pull',
    '-q',
    '--tls-verify=false',
    `${registry}/gone:1`,
  );
  await refused(
    125,
    /server gave HTTP response to HTTPS client[\s\S]*--tls-verify=false/,
    'pull',
    '-q',
    `${registry}/gone:1`,
  );
  await refused(125, /could not pull .*team\/base:1/, 'run', '--rm', closed, 'true');
  await refused(125, /repository name must be lowercase/, 'pull', '-q', 'BAD');
  await refused(125, /unsupported pull policy "often"/, 'pull', '--policy=often', 'base');
  assert.equal(await ok('images', '-q'), '');
});

test('push refuses an ID without a destination, and formats that it does not have.', async (t) => {
  const cryopod = program(t);
  const id = await importBusybox(cryopod, 'base');
  await cryopod.refused(125, /names no registry to push to/, 'push', '-q', id);
  await cryopod.refused(125, /unknown format "zip"/, 'push', '-q', '--format', 'zip', 'base', 'quay.io/x');
});

test('push and pull take archives and directories too.', async (t) => {
  const cryopod = program(t);
  const id = await importBusybox(cryopod, 'base:1');
  const archive = `oci-archive:${join(cryopod.directory, 'base.tar')}`;
  await cryopod.ok('push', '-q', 'base:1', `${archive}:base:1`);
  await cryopod.ok('rmi', 'base:1');
  assert.equal(await cryopod.ok('pull', '-q', archive), `${id}\n`);
  await cryopod.refused(
    125,
    /containers-storage cannot be used here/,
    'pull',
    '-q',
    'containers-storage:base',
  );
});

test('An image for another platform is refused with the platforms that there are.', async (t) => {
  const registry = await startRegistry(t);
  const cryopod = program(t);
  await importBusybox(cryopod, 'base', '--arch', 'arm64');
  await cryopod.ok('push', '-q', '--tls-verify=false', 'base', `${registry}/base`);
  const pulled = await cryopod.ok(
    'pull',
    '-q',
    '--tls-verify=false',
    '--platform',
    'linux/arm64',
    `${registry}/base`,
  );
  const [image] = json<{ Architecture: string }[]>(await cryopod.ok('image', 'inspect', pulled.trim()));
  assert.equal(image?.Architecture, 'arm64');
});
