import { strictEqual } from 'node:assert/strict';
import { linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { treeSize } from './tree-size.ts';

test('A tree has the size of its files, a file with two names once', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'cryopod-size-'));
  t.after(() => rmSync(directory, { recursive: true }));
  mkdirSync(join(directory, 'below'));
  writeFileSync(join(directory, 'one'), 'x'.repeat(100));
  writeFileSync(join(directory, 'below', 'two'), 'x'.repeat(11));
  linkSync(join(directory, 'one'), join(directory, 'below', 'again'));
  strictEqual(await treeSize(directory), 111);
});

test('A missing tree has no size', async () => {
  strictEqual(await treeSize('/nowhere/at/all'), 0);
});
