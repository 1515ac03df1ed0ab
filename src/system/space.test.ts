import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { freeBytes, spaceAt } from './space.ts';

describe('free space', () => {
  it('is that of the file system which holds the path, or will hold it', async () => {
    const there = await spaceAt(tmpdir());
    const later = await spaceAt(join(tmpdir(), 'not', 'made', 'yet'));
    assert.ok(there.free > 0 && there.free <= there.total && there.freeFiles > 0);
    assert.deepEqual([later.total, later.type], [there.total, there.type]);
  });

  it('is none where nothing can be written', async () => {
    assert.equal(await freeBytes('/proc/self'), 0);
  });
});
