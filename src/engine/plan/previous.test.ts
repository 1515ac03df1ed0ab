import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container } from '../../model/container.ts';
import { type PreviousFacts, previousFindings, stagingFindings } from './previous.ts';

const box = { config: { name: 'box' } } as Container;
const FOUND: PreviousFacts = { found: true, exported: false, needsArchive: false, tracked: false };

test('a checkpoint builds on a pre-checkpoint of this run that is sound, and an archive on one that lies in an archive', () => {
  const rows: readonly (readonly [Partial<PreviousFacts>, RegExp | undefined])[] = [
    [{}, undefined],
    [{ tracked: true }, undefined],
    [{ needsArchive: true, exported: true }, undefined],
    [{ found: false }, /it has no pre-checkpoint since it was started or restored; it goes on running$/],
    [{ damage: 'pages-1.img is short' }, /: pages-1\.img is short; it goes on running$/],
    [{ needsArchive: true }, /the last pre-checkpoint is in no archive/],
  ];
  for (const [facts, words] of rows) {
    const [first, ...others] = previousFindings(box, { ...FOUND, ...facts });
    assert.deepEqual(others, []);
    assert.equal(first?.level, words === undefined ? 'ok' : 'obstacle', first?.sentence);
    if (words === undefined) continue;
    assert.match(first?.sentence ?? '', words);
    assert.match(first?.hint ?? '', /cryopod container checkpoint --pre-checkpoint.* box$/);
  }
  const [archived] = previousFindings(box, { ...FOUND, needsArchive: true });
  assert.match(archived?.hint ?? '', /--pre-checkpoint --export FILE box$/);
});

test('an export that compares by content needs room for the whole memory', () => {
  const facts = { directory: '/store', freeBytes: 100, neededBytes: 100 };
  assert.deepEqual(stagingFindings(box, facts), []);
  const [short] = stagingFindings(box, { ...facts, freeBytes: 99 });
  assert.equal(short?.code, 'NO_SPACE');
});
