import assert from 'node:assert/strict';
import { test } from 'node:test';
import { processTree } from './process-tree.ts';

const draw = (...pairs: readonly (readonly [pid: number, parent: number])[]): string[] =>
  processTree(pairs.map(([pid, parent]) => ({ pid, parent }))).map(
    ({ task, branch }) => `${branch}${task.pid}`,
  );

test('children stand below their parents, in the order of their numbers', () => {
  assert.deepEqual(draw([1, 0], [9, 1], [4, 1], [5, 4], [6, 4], [10, 9]), [
    '1',
    '├─ 4',
    '│  ├─ 5',
    '│  └─ 6',
    '└─ 9',
    '   └─ 10',
  ]);
});

test('every process is drawn once, whatever the images say', () => {
  assert.deepEqual(draw([1, 1], [2, 3], [3, 2], [7, 99]), ['1', '7', '2', '└─ 3']);
  const chain = Array.from({ length: 50_000 }, (_, at): [number, number] => [at + 1, at]);
  assert.equal(draw(...chain).length, 50_000);
});
