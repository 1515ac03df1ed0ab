import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCryopodError } from './errors.ts';
import {
  applyFilters,
  matchBoolean,
  matchLabels,
  matchNoLabels,
  matchPattern,
  parseFilters,
} from './filters.ts';

const usage = (error: unknown): boolean => isCryopodError(error, 'USAGE');

test('Filters of one key are collected, and the value keeps its equals signs.', () => {
  const filters = parseFilters(['label=a=b=c', 'label=d', 'label!=e']);
  assert.deepEqual(
    [...filters],
    [
      ['label', ['a=b=c', 'd']],
      ['label!', ['e']],
    ],
  );
});

test('A filter without an equals sign or a key is refused.', () => {
  assert.throws(() => parseFilters(['name']), usage);
  assert.throws(() => parseFilters(['=name']), usage);
});

test('An item passes when all filters let it pass, and an unknown key is refused even without items.', () => {
  const matchers = {
    min: (item: number, values: readonly string[]) => values.some((value) => item >= Number(value)),
    even: (item: number) => item % 2 === 0,
  };
  const words = (key: string): string => `unknown ${key}`;
  assert.deepEqual(applyFilters([1, 2, 3, 4], parseFilters(['min=2', 'even=1']), matchers, words), [2, 4]);
  assert.throws(() => applyFilters([], parseFilters(['toString=1']), matchers, words), /unknown toString/);
});

test('All wanted labels are needed, and none of the unwanted ones may be there.', () => {
  const labels = { a: '1', b: '' };
  assert.equal(matchLabels(labels, ['a', 'b=']), true);
  assert.equal(matchLabels(labels, ['a', 'a=2']), false);
  assert.equal(matchNoLabels(labels, ['c', 'a=2']), true);
  assert.equal(matchNoLabels(labels, ['c', 'a=1']), false);
});

test('Names are matched by regular expressions, anywhere in the name.', () => {
  assert.equal(matchPattern('web-1', ['^db', 'eb-']), true);
  assert.equal(matchPattern('web-1', ['^eb']), false);
  assert.throws(() => matchPattern('web', ['(']), usage);
});

test('Filters of true and false take 1 and 0 too, and nothing else.', () => {
  assert.equal(matchBoolean('dangling', true, ['1']), true);
  assert.equal(matchBoolean('dangling', true, ['False']), false);
  assert.throws(() => matchBoolean('dangling', true, ['maybe']), usage);
});
