import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesPattern } from './name-pattern.ts';

const NAME = 'docker.io/library/redis:7';

test('A name is meant without its tag and without the components in front.', () => {
  for (const pattern of [
    'redis',
    'redis:7',
    'library/redis',
    'docker.io/library/redis:7',
    'docker.io/library/redis',
  ]) {
    assert.equal(matchesPattern(NAME, pattern), true, pattern);
  }
});

test('A part of a component or another tag is not enough.', () => {
  for (const pattern of ['edis', 'redis:8', 'docker.io/redis', 'library', '7', 'redis.7']) {
    assert.equal(matchesPattern(NAME, pattern), false, pattern);
  }
});

test('Stars and question marks stand for what lies between slashes.', () => {
  for (const pattern of ['red*', '*/redis', 're?is:*', 'docker.io/*/redis', '[pr]edis']) {
    assert.equal(matchesPattern(NAME, pattern), true, pattern);
  }
  for (const pattern of ['docker.io*', 'docker.io/*:7', '*/*/*/redis'])
    assert.equal(matchesPattern(NAME, pattern), false, pattern);
});

test('A registry with a port keeps its port.', () => {
  assert.equal(matchesPattern('localhost:5000/app:1', 'localhost:5000/app'), true);
  assert.equal(matchesPattern('localhost:5000/app:1', 'localhost'), false);
});
