import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokenLinks, machineWords, renderErrors } from './check-docs.ts';

test('the error table becomes one row a code', () => {
  const text = renderErrors({ A: { exit: 125, http: 404, summary: 'No a | b.' } });
  assert.ok(text.endsWith('|---|---|---|---|\n| `A` | 125 | 404 | No a \\| b. |\n'));
});

test('a link to a missing file is named with its line; web links, anchors and code are left alone', () => {
  const text =
    'x\n[a](gone.md#part) [b](https://example.org) [c](#top) `[d](no.md)`\n```\n[e](no.md)\n```\n[f](here.md)';
  assert.deepEqual(
    brokenLinks('docs/a.md', text, (path) => path === 'docs/here.md'),
    ['docs/a.md:2: links to gone.md, which does not exist'],
  );
});

test('a path of this machine in a file is named with its line', () => {
  assert.deepEqual(machineWords('a.ts', 'x\nsee /home/someone/x', ['/home/someone']), [
    'a.ts:2: names /home/someone, which exists on this machine only',
  ]);
});
