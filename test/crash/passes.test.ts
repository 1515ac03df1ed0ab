import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAULT_POINTS } from '../../src/system/faults.ts';
import { PASSES } from './passes.ts';

test('every durable step is one that some command breaks at', () => {
  const broken = new Set<string>(Object.values(PASSES).flat());
  assert.deepEqual(
    FAULT_POINTS.filter((point) => !broken.has(point)),
    [],
    'add the steps to the commands of passes.ts that pass them',
  );
});
