import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toYaml } from './yaml.ts';

test('Objects and lists become blocks, lists at the level of their key.', () => {
  const data = {
    host: { arch: 'amd64', cpus: 2, names: ['a', 'b'] },
    list: [{ x: 1, y: [true] }],
    none: null,
  };
  assert.equal(
    toYaml(data),
    [
      'host:',
      '  arch: amd64',
      '  cpus: 2',
      '  names:',
      '  - a',
      '  - b',
      'list:',
      '- x: 1',
      '  y:',
      '  - true',
      'none: null',
      '',
    ].join('\n'),
  );
});

test('What is empty says so.', () => {
  assert.equal(toYaml({ a: {}, b: [], c: '' }), 'a: {}\nb: []\nc: ""\n');
});

test('Strings that YAML would read as something else are quoted.', () => {
  for (const text of [
    'true',
    'No',
    '12',
    '1.5',
    '- x',
    'a: b',
    'a #b',
    '# x',
    '"x"',
    'end:',
    ' x',
    'x\ny',
    '',
  ]) {
    assert.equal(toYaml({ key: text }), `key: ${JSON.stringify(text)}\n`, text);
  }
  for (const text of [
    'v2',
    'runc version 1.1.5',
    '/usr/bin/runc',
    '1h 4m 58.00s (Approximately 0.04 days)',
    'a:b',
  ]) {
    assert.equal(toYaml({ key: text }), `key: ${text}\n`, text);
  }
});
