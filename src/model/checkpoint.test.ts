import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitReference } from './checkpoint.ts';

test('CONTAINER@NAME has two parts, and images with their digests none', () => {
  assert.deepEqual(splitReference('db@before-upgrade'), { container: 'db', name: 'before-upgrade' });
  assert.deepEqual(splitReference('0123abcd@auto-20261124T142301Z')?.name, 'auto-20261124T142301Z');
  for (const text of ['db', 'db@', '@x', 'db@.x', 'db@a@b', 'db@sha256:00ff', 'localhost/db@x', './db@x']) {
    assert.equal(splitReference(text), undefined, text);
  }
});
