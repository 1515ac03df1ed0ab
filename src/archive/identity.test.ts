import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCryopodError } from '../model/errors.ts';
import { formatIdentity, type PreCheckpointIdentity, parseIdentity } from './identity.ts';

const IDENTITY: PreCheckpointIdentity = {
  version: 1,
  id: 'ab'.repeat(16),
  container: 'cd'.repeat(32),
  created: '2026-01-02T03:04:05.000000000Z',
};

test('an identity reads back as it was written, and nothing else of a record goes with it', () => {
  const record = { ...IDENTITY, run: { pid: 7 }, tracked: true };
  assert.deepEqual(parseIdentity(formatIdentity(record)), IDENTITY);
  assert.doesNotMatch(formatIdentity(record), /pid|tracked/);
});

test('a damaged identity is refused', () => {
  const bad: readonly unknown[] = [
    '{',
    'null',
    '[]',
    JSON.stringify({ ...IDENTITY, version: 2 }),
    JSON.stringify({ ...IDENTITY, id: 'AB'.repeat(16) }),
    JSON.stringify({ ...IDENTITY, id: IDENTITY.id.slice(1) }),
    JSON.stringify({ ...IDENTITY, container: '../..' }),
    JSON.stringify({ ...IDENTITY, created: 'x'.repeat(41) }),
  ];
  for (const json of bad) {
    assert.throws(
      () => parseIdentity(String(json)),
      (error) => isCryopodError(error, 'ARCHIVE_INVALID'),
      String(json),
    );
  }
});
