import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCryopodError } from '../model/errors.ts';
import type { Image } from '../model/image.ts';
import { lookupImage, resolveImage } from './lookup.ts';

const image = (id: string, ...names: string[]): Image => ({
  id: id.padEnd(64, '0'),
  digest: `sha256:${id.padEnd(64, 'd')}`,
  names,
  layers: [],
  size: 0,
  created: '2024-01-01T00:00:00Z',
  annotations: {},
});

const local = image('aa1', 'localhost/redis:latest');
const hub = image('aa2', 'docker.io/library/redis:latest', 'docker.io/library/nginx:1');
const quay = image('bb1', 'quay.io/org/tool:latest');
const other = image('bb2', 'example.com/org/tool:latest', 'example.com/only/here:v1');
const hex = image('cc1', 'localhost/bb1:latest');
const all = [hub, local, quay, other, hex];

test('a local name wins over the docker.io library image of the same short name', () => {
  assert.equal(lookupImage('redis', all)?.image, local);
  assert.equal(lookupImage('redis', [hub])?.name, 'docker.io/library/redis:latest');
  assert.equal(lookupImage('nginx:1', all)?.image, hub);
  assert.equal(lookupImage('nginx', all), undefined);
});

test('an image is found by its ID, whole, abbreviated or with sha256:', () => {
  assert.equal(lookupImage(local.id, all)?.image, local);
  assert.equal(lookupImage(`sha256:${local.id}`, all)?.image, local);
  assert.equal(lookupImage('aa1', all)?.image, local);
  assert.equal(lookupImage('aa1', all)?.name, undefined);
});

test('a name wins over an abbreviated ID that looks the same, but sha256: always means an ID', () => {
  assert.equal(lookupImage('bb1', all)?.image, hex);
  assert.equal(lookupImage('sha256:bb1', all)?.image, quay);
});

test('the end of a path finds an image of another registry', () => {
  assert.equal(lookupImage('here:v1', all)?.image, other);
  assert.equal(lookupImage('only/here:v1', all)?.image, other);
  assert.equal(lookupImage('ere:v1', all), undefined);
});

test('a digest finds the image whatever its tag', () => {
  assert.equal(lookupImage(`nginx@${hub.digest}`, all)?.image, hub);
  assert.equal(lookupImage(`nginx@${local.digest}`, all), undefined);
});

for (const name of ['aa', 'tool', 'org/tool']) {
  test(`${name} fits two images and is refused`, () => {
    assert.throws(
      () => lookupImage(name, all),
      (error) => isCryopodError(error, 'AMBIGUOUS_ID'),
    );
  });
}

test('an unknown image is named in the error', () => {
  assert.throws(
    () => resolveImage('nope', all),
    (error) => isCryopodError(error, 'NO_SUCH_IMAGE') && error.message === 'nope: image not known',
  );
});
