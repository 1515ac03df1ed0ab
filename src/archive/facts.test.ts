import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCryopodError } from '../model/errors.ts';
import { type ArchiveFacts, formatArchiveFacts, MAX_FACTS_BYTES, parseArchiveFacts } from './facts.ts';

const FACTS: ArchiveFacts = {
  version: 1,
  cryopod: '0.1.0',
  created: '2026-11-24T09:06:24.668000000Z',
  host: {
    kernel: '6.18.44',
    architecture: 'amd64',
    cpu: { model: 'CPU', flags: ['sse2', 'avx2'] },
    distribution: { id: 'debian', version: '12' },
    cgroupVersion: 2,
  },
  runtime: { name: 'runc', version: '1.1.5' },
  criu: { version: '4.2.1' },
  conmon: { version: '2.1.6' },
};

test('facts come back as they were written', () => {
  assert.deepEqual(parseArchiveFacts(formatArchiveFacts(FACTS)), FACTS);
});

test('fields of a later cryopod are left out', () => {
  assert.deepEqual(parseArchiveFacts(JSON.stringify({ ...FACTS, later: true })), FACTS);
});

test('facts that cannot be understood are refused with the field that is wrong', () => {
  const rows: [string, RegExp][] = [
    ['{', /not JSON/],
    ['[]', /cryopod\.json/],
    [JSON.stringify({ ...FACTS, version: 2 }), /version/],
    [
      JSON.stringify({ ...FACTS, host: { ...FACTS.host, cpu: { model: 'x', flags: 'avx' } } }),
      /host\.cpu\.flags/,
    ],
    [JSON.stringify({ ...FACTS, cryopod: 'x'.repeat(300) }), /cryopod/],
    [' '.repeat(MAX_FACTS_BYTES + 1), /too large/],
  ];
  for (const [json, words] of rows) {
    assert.throws(
      () => parseArchiveFacts(json),
      (error) => isCryopodError(error, 'ARCHIVE_INVALID') && words.test(error.message),
    );
  }
});
