import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCryopodError } from './errors.ts';
import { parseSignal, signalName } from './signals.ts';

test('signals are understood by name, with or without SIG, and by number', () => {
  assert.deepEqual(['SIGTERM', 'term', '15', 'RTMIN+3', 'sigrtmax-1'].map(parseSignal), [15, 15, 15, 37, 63]);
});

test('an unknown signal is refused', () => {
  for (const text of ['0', '65', 'NOPE', 'RTMIN+99', '']) {
    assert.throws(
      () => parseSignal(text),
      (error) => isCryopodError(error, 'USAGE'),
    );
  }
});

test('numbers get their names back', () => {
  assert.deepEqual([9, 34, 37].map(signalName), ['SIGKILL', 'SIGRTMIN', 'SIGRTMIN+3']);
});
