import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAnnotations, parseEnvironment, parseLabels } from './environment.ts';
import { assertRefused } from './testing.ts';

const caller = { HOME: '/root', LC_ALL: 'C', LC_TIME: 'de', EMPTY: '', UNSET: undefined };
const env = (values: string[], text = ''): string[] =>
  parseEnvironment(values, [{ path: 'f', text }], caller);

test('variables come with a value or take the value of the caller', () => {
  assert.deepEqual(env(['A=1', 'B=', 'C=x=y', 'HOME', 'EMPTY', 'NONE', 'UNSET']), [
    'A=1',
    'B=',
    'C=x=y',
    'HOME=/root',
    'EMPTY=',
  ]);
  assert.deepEqual(env(['LC_*']), ['LC_ALL=C', 'LC_TIME=de']);
});

test('later variables win, and options win over files', () => {
  assert.deepEqual(env(['A=2', 'B=3', 'B=4'], 'A=1\nF=file'), ['A=2', 'F=file', 'B=4']);
});

test('files have comments, blank lines and values that are kept as they are', () => {
  assert.deepEqual(env([], '# no\n\n  A = b  \nB="quoted" # kept\r\nHOME\nLC_*\n\t#x\nC'), [
    'A = b  ',
    'B="quoted" # kept',
    'HOME=/root',
    'LC_ALL=C',
    'LC_TIME=de',
  ]);
});

test('variables without a name are refused, with the file they stand in', () => {
  assertRefused(() => env(['=x']), 'invalid variable: "=x"');
  assertRefused(() => env([''], ''), 'invalid variable: ""');
  assertRefused(() => env([], 'A=1\n=x'), 'parsing file "f": invalid variable: "=x"');
});

test('labels may lack a value, annotations may not', () => {
  assert.deepEqual(parseLabels(['a=1', 'b', 'c=x=y'], [{ path: 'f', text: '#\na=0\nd=4' }]), {
    a: '1',
    d: '4',
    b: '',
    c: 'x=y',
  });
  assertRefused(() => parseLabels(['=x']), 'invalid label format: "=x"');
  assert.deepEqual(parseAnnotations(['a=1', 'b=']), { a: '1', b: '' });
  assertRefused(() => parseAnnotations(['a']), 'annotations must be formatted KEY=VALUE');
  assert.deepEqual(Object.keys(parseLabels(['__proto__=x'])), ['__proto__']);
});
