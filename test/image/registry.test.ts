import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { importImage } from '../../src/image/import.ts';
import { pullImage } from '../../src/image/pull.ts';
import { pushImage } from '../../src/image/push.ts';
import { isCryopodError } from '../../src/model/errors.ts';
import type { Image } from '../../src/model/image.ts';
import { busyboxTar, podman, podmanField } from './busybox.ts';
import { LOGIN, startRegistry } from './registry-server.ts';
import { type Workplace, workplace } from './support.ts';

const insecure = { access: { tlsVerify: false } };

const makeImage = async (place: Workplace): Promise<Image> =>
  importImage(place.store, { path: await busyboxTar(place) }, { changes: ['CMD ["sh"]'] });

test('an image pushed to a registry and pulled from it is the same image', async (t) => {
  const place = workplace(t);
  const { address } = await startRegistry(t);
  const image = await makeImage(place);
  const name = `${address}/team/app:v1`;
  const digest = await pushImage(place.store, image, `docker://${name}`, insecure);
  const other = workplace(t);
  const pulled = await pullImage(other.store, name, insecure);
  assert.equal(pulled.id, image.id);
  assert.deepEqual(pulled.names, [name]);
  assert.deepEqual(pulled.layers, image.layers);
  assert.equal(pulled.digest, digest);
  const byDigest = await pullImage(workplace(t).store, `${address}/team/app@${digest}`, insecure);
  assert.deepEqual(byDigest.names, [`${address}/team/app@${digest}`]);
  assert.equal(byDigest.id, image.id);
  await podman(place, 'pull', '--tls-verify=false', name);
  assert.equal(await podmanField(place, name, 'Id'), image.id);
  assert.equal(await podmanField(place, name, 'Digest'), digest);
});

test('an image in Docker format keeps the ID that podman gives it', async (t) => {
  const place = workplace(t);
  const { address } = await startRegistry(t);
  const name = `${address}/docker:latest`;
  await podman(place, 'import', await busyboxTar(place, 'docker'), 'made');
  await podman(place, 'push', '--tls-verify=false', '--format=v2s2', 'made', name);
  await podman(place, 'rmi', 'made');
  await podman(place, 'pull', '--tls-verify=false', name);
  const pulled = await pullImage(place.store, `${address}/docker`, insecure);
  assert.equal(pulled.id, await podmanField(place, name, 'Id'));
  assert.equal(pulled.digest, await podmanField(place, name, 'Digest'));
  const config = await pushImage(place.store, pulled, `${address}/again`, { ...insecure, format: 'oci' });
  assert.match(config, /^sha256:/);
});

test('an image that is there already is not fetched again', async (t) => {
  const place = workplace(t);
  const registry = await startRegistry(t);
  const image = await makeImage(place);
  const name = `${registry.address}/app:latest`;
  await pushImage(place.store, image, name, insecure);
  const other = workplace(t);
  const first = await pullImage(other.store, name, insecure);
  const blobs = (): number => registry.requests().filter((line) => /^GET .*\/blobs\//.test(line)).length;
  const fetched = blobs();
  assert.ok(fetched > 0, 'the log of the registry is understood');
  const second = await pullImage(other.store, name, { ...insecure, known: [first] });
  assert.deepEqual(second, first);
  assert.equal(blobs(), fetched);
});

test('credentials open a registry and do not show in the arguments of any process', async (t) => {
  const place = workplace(t);
  const { address } = await startRegistry(t, true);
  const image = await makeImage(place);
  const access = { tlsVerify: false, credentials: `${LOGIN.user}:${LOGIN.password}` };
  await pushImage(place.store, image, `${address}/app`, { access });
  const without = pullImage(place.store, `${address}/app`, insecure);
  await assert.rejects(
    without,
    (error) => isCryopodError(error, 'IMAGE_FAILED') && /--creds/.test(error.hint ?? ''),
  );
  const wrong = { access: { tlsVerify: false, credentials: 'me:wrong' } };
  await assert.rejects(pullImage(place.store, `${address}/app`, wrong), (error) =>
    isCryopodError(error, 'IMAGE_FAILED'),
  );
  const authfile = join(place.directory, 'auth.json');
  const auth = Buffer.from(access.credentials).toString('base64');
  writeFileSync(authfile, JSON.stringify({ auths: { [address]: { auth } } }));
  const pulled = await pullImage(place.store, `${address}/app`, { access: { tlsVerify: false, authfile } });
  assert.equal(pulled.id, image.id);
  const spy = join(place.directory, 'bin');
  mkdirSync(spy);
  const seen = join(place.directory, 'arguments');
  writeFileSync(join(spy, 'skopeo'), `#!/bin/sh\necho "$@" >> ${seen}\nexit 1\n`, { mode: 0o755 });
  const path = process.env.PATH;
  process.env.PATH = `${spy}:${path}`;
  t.after(() => {
    process.env.PATH = path;
  });
  await assert.rejects(pullImage(place.store, `${address}/app`, { access }));
  assert.match(readFileSync(seen, 'utf8'), /copy --src-tls-verify=false --src-authfile=/);
  assert.doesNotMatch(readFileSync(seen, 'utf8'), /cret/);
});

test('the error of a failed pull says what was tried, why it failed and what helps', async (t) => {
  const place = workplace(t);
  const { address } = await startRegistry(t);
  const cases = [
    { name: `${address}/none:v9`, pattern: /manifest unknown/, hint: /does not have this image/ },
    { name: '127.0.0.1:1/none', pattern: /connection refused/, hint: /cannot be reached/ },
  ];
  for (const { name, pattern, hint } of cases) {
    await assert.rejects(pullImage(place.store, name, insecure), (error) => {
      assert.ok(isCryopodError(error, 'IMAGE_FAILED'), String(error));
      assert.match(error.message, pattern);
      assert.ok(error.message.startsWith(`could not pull ${name}`), error.message);
      assert.match(error.hint ?? '', hint);
      return true;
    });
  }
  await assert.rejects(
    pullImage(place.store, `${address}/none`),
    (error) => isCryopodError(error, 'IMAGE_FAILED') && /--tls-verify=false/.test(error.hint ?? ''),
  );
  await assert.rejects(
    pushImage(place.store, await makeImage(place), '127.0.0.1:1/none', insecure),
    (error) => isCryopodError(error, 'IMAGE_FAILED') && error.message.includes('docker://127.0.0.1:1/none'),
  );
});

test('an interrupted pull ends skopeo and leaves nothing in the staging directory', async (t) => {
  const place = workplace(t);
  const { address } = await startRegistry(t);
  await assert.rejects(
    pullImage(place.store, `${address}/none`, { ...insecure, signal: AbortSignal.abort() }),
    (error) => isCryopodError(error, 'INTERRUPTED'),
  );
});
