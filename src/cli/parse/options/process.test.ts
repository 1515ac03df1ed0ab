import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDevice, parseEntrypoint, parseFilters, parseIpc, parsePid, parsePull } from './process.ts';
import { assertRefused } from './testing.ts';

test('an entrypoint is a word or a JSON array, and empty clears it', () => {
  assert.deepEqual(parseEntrypoint('/bin/sh -c'), ['/bin/sh -c']);
  assert.deepEqual(parseEntrypoint('["/bin/sh","-c"]'), ['/bin/sh', '-c']);
  assert.deepEqual(parseEntrypoint(''), []);
  assert.deepEqual(parseEntrypoint('[broken'), ['[broken']);
  assert.deepEqual(parseEntrypoint('[1]'), ['[1]']);
});

test('devices have a host path, a container path and permissions', () => {
  const shown = (text: string): string => Object.values(parseDevice(text)).join(' ');
  assert.equal(shown('/dev/a'), '/dev/a /dev/a rwm');
  assert.equal(shown('/dev/a:/dev/b'), '/dev/a /dev/b rwm');
  assert.equal(shown('/dev/a:/dev/b:rw'), '/dev/a /dev/b rw');
  assert.equal(shown('/dev/a:r'), '/dev/a /dev/a r');
  assertRefused(() => parseDevice(''), 'invalid device specification: ');
  assertRefused(() => parseDevice('/dev/a:b'), 'invalid device mode: b');
  assertRefused(() => parseDevice('/dev/a:/dev/b:rr'), 'invalid device mode: rr');
  assertRefused(() => parseDevice('/dev/a:/dev/b:r:x'), 'invalid device specification: /dev/a:/dev/b:r:x');
});

test('namespaces have modes and targets', () => {
  assert.deepEqual(parsePid(''), { mode: 'private' });
  assert.deepEqual(parsePid('host'), { mode: 'host' });
  assert.deepEqual(parsePid('container:web'), { mode: 'container', target: 'web' });
  assert.deepEqual(parsePid('ns:/proc/1/ns/pid'), { mode: 'ns', target: '/proc/1/ns/pid' });
  assert.deepEqual(parseIpc(''), { mode: 'shareable' });
  assert.deepEqual(parseIpc('none'), { mode: 'none' });
  assert.deepEqual(parseIpc('private'), { mode: 'private' });
  assertRefused(() => parsePid('shareable'), 'unrecognized namespace mode shareable passed');
  assertRefused(() => parseIpc('container:'), 'namespace mode container requires a value');
});

test('filters collect the values of each key', () => {
  const filters = parseFilters(['name=a', 'name=b', 'label=x=y', 'label!=z'], ['name', 'label']);
  assert.deepEqual(
    [...filters],
    [
      ['name', ['a', 'b']],
      ['label', ['x=y']],
      ['label!', ['z']],
    ],
  );
  assertRefused(
    () => parseFilters(['name'], ['name']),
    'filter input must be in the form of filter=value: name is invalid',
  );
  assertRefused(() => parseFilters(['foo=1'], ['name']), 'foo is an invalid filter');
});

test('pull policies have several names', () => {
  assert.deepEqual(['', 'true', 'IfNotPresent', 'newer', 'never'].map(parsePull), [
    'missing',
    'always',
    'missing',
    'newer',
    'never',
  ]);
  assertRefused(() => parsePull('sometimes'), 'unsupported pull policy "sometimes"');
});
