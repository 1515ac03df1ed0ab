import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alignTabs, renderTable } from './table.ts';

test('columns are at least twelve wide and two apart, and the last is not padded', () => {
  assert.equal(
    renderTable(
      ['ID', 'IMAGE', 'NAMES'],
      [
        ['a', 'docker.io/library/redis:latest', 'web'],
        ['b', 'x', 'y'],
      ],
    ),
    'ID          IMAGE                           NAMES\na           docker.io/library/redis:latest  web\nb           x                               y\n',
  );
});

test('without heading only rows are printed, and nothing for no rows', () => {
  assert.equal(renderTable(['ID', 'X'], [['a', 'b']], { noheading: true }), 'a           b\n');
  assert.equal(renderTable(['ID', 'X'], [], { noheading: true }), '');
  assert.equal(renderTable(['ID', 'X'], []), 'ID          X\n');
});

test('cells cannot break the layout or speak to the terminal', () => {
  assert.equal(renderTable(['A', 'B'], [['x\ny', '\x1b[31m\tz']]).split('\n')[1], 'x?y         ?[31m z');
});

test('accents and wide scripts count by character', () => {
  assert.equal(alignTabs('e\u0301\tx\nab\ty'), 'e\u0301           x\nab          y');
});

test('a line without tabs ends a column', () => {
  assert.equal(alignTabs('a-very-long-first-cell\tx\n\nb\ty'), 'a-very-long-first-cell  x\n\nb           y');
});
