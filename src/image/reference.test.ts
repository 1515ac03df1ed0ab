import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCryopodError } from '../model/errors.ts';
import {
  localCandidates,
  normalizeName,
  parseReference,
  pullName,
  registryOf,
  withDigest,
} from './reference.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

test('a name is split into registry, repository, tag and digest', () => {
  assert.deepEqual(parseReference('redis'), {
    registry: undefined,
    repository: 'redis',
    tag: undefined,
    digest: undefined,
  });
  assert.deepEqual(parseReference('127.0.0.1:5000/a/b-c:v1.2'), {
    registry: '127.0.0.1:5000',
    repository: 'a/b-c',
    tag: 'v1.2',
    digest: undefined,
  });
  assert.deepEqual(parseReference(`quay.io/a/b:v1@${DIGEST}`), {
    registry: 'quay.io',
    repository: 'a/b',
    tag: 'v1',
    digest: DIGEST,
  });
  assert.equal(parseReference('foo/bar').registry, undefined);
  assert.equal(parseReference('localhost/bar').registry, 'localhost');
});

test('a port is not taken for a tag and a tag is not taken for a port', () => {
  assert.equal(parseReference('host:5000/a').tag, undefined);
  assert.equal(parseReference('a:5000').tag, '5000');
});

test('a short name in the local store is looked for on localhost first, then as a docker.io library image', () => {
  assert.deepEqual(localCandidates('redis'), ['localhost/redis:latest', 'docker.io/library/redis:latest']);
  assert.deepEqual(localCandidates('me/app:v2'), ['localhost/me/app:v2', 'docker.io/me/app:v2']);
  assert.deepEqual(localCandidates('quay.io/app'), ['quay.io/app:latest']);
});

test('names made here go to localhost, pulled ones come from docker.io', () => {
  assert.equal(normalizeName('app'), 'localhost/app:latest');
  assert.equal(normalizeName('docker.io/app'), 'docker.io/library/app:latest');
  assert.equal(normalizeName('host:5000/app:v1'), 'host:5000/app:v1');
  assert.equal(pullName('redis'), 'docker.io/library/redis:latest');
  assert.equal(pullName('index.docker.io/redis:7'), 'docker.io/library/redis:7');
  assert.equal(pullName(`redis:7@${DIGEST}`), `docker.io/library/redis@${DIGEST}`);
});

test('the registry of a name and its form with a digest are found', () => {
  assert.equal(registryOf('127.0.0.1:5000/a:b'), '127.0.0.1:5000');
  assert.equal(withDigest('localhost/a:b', DIGEST), `localhost/a@${DIGEST}`);
});

for (const name of [
  '',
  'Redis',
  'a//b',
  '/a',
  'a/',
  'a:',
  'a:b:c',
  'a@sha256:1',
  '-a',
  'a b',
  '../a',
  'ho st.x/a',
  '--a',
]) {
  test(`the name "${name}" is refused`, () => {
    assert.throws(
      () => parseReference(name),
      (error) => isCryopodError(error, 'USAGE') && error.message.includes('invalid image name'),
    );
  });
}
