import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCryopodError } from '../../../model/errors.ts';
import { importFindings, neededBytes, refuseImport } from './import.ts';
import { archive, FLAGS, facts, HOST, NEEDS, notable, OPTIONS, OTHER, SOURCE, volume } from './testing.ts';
import type { ImportCheckOptions, ImportFacts } from './types.ts';

test('a host that has all raises neither a warning nor an obstacle, and each check is told', () => {
  const findings = importFindings(facts({ archive: archive({ mounts: [volume('data')] }) }), OPTIONS);
  assert.deepEqual(notable(findings), []);
  for (const check of ['runtime', 'security', 'volumes', 'name', 'id', 'cpu', 'kernel', 'criu', 'space']) {
    assert.ok(
      findings.some((finding) => finding.check === check),
      `${check} is told`,
    );
  }
});

test('options take obstacles away', () => {
  const rows: [Partial<ImportFacts>, Partial<ImportCheckOptions>][] = [
    [{ archive: archive({ mounts: [volume('v')] }), existingVolumes: ['v'] }, { ignoreVolumes: true }],
    [{ archive: archive({ mounts: [volume('v', true)] }), existingVolumes: ['v'] }, { name: 'clone' }],
    [{ holders: { id: { id: 'a1'.repeat(32), name: 'db' } } }, { name: 'clone' }],
    [{ needs: { ...NEEDS, connections: 3 } }, { tcpEstablished: true }],
    [{ needs: { ...NEEDS, connections: 3 } }, { tcpClose: true }],
    [{ needs: { ...NEEDS, locks: 1 } }, { fileLocks: true }],
    [{ space: { directory: '/', free: 900 } }, { ignoreRootfs: true }],
    [{ space: { directory: '/', free: 800 } }, { ignoreRootfs: true, ignoreVolumes: true }],
    [{ image: { present: false, inArchive: true } }, {}],
  ];
  for (const [change, options] of rows) {
    assert.deepEqual(notable(importFindings(facts(change), { ...OPTIONS, ...options })), []);
  }
});

test('a container that is still here under its own name and ID is one obstacle', () => {
  const here = { id: 'a1'.repeat(32), name: 'db' };
  const findings = importFindings(facts({ holders: { name: here, id: here } }), OPTIONS);
  assert.deepEqual(
    notable(findings).map(({ check }) => check),
    ['name'],
  );
});

test('the first obstacle is thrown and tells how many others there are', () => {
  const findings = importFindings(
    facts({
      holders: { name: OTHER },
      missingNetworks: [{ name: 'mynet', subnets: [] }],
      space: { directory: '/', free: 0 },
    }),
    OPTIONS,
  );
  assert.throws(
    () => refuseImport(findings),
    (error) =>
      isCryopodError(error, 'NAME_IN_USE') && /There are 2 more obstacles: --dry-run/.test(error.hint ?? ''),
  );
});

test('protection keys and flags for kernels or speed alone are not missed', () => {
  const cpu = { model: 'Source', flags: [...FLAGS, 'pku', 'ospke', 'invpcid', 'smep', 'fsrm'] };
  const source = { ...SOURCE, host: { ...SOURCE.host, cpu } };
  const change = {
    archive: archive({}, { facts: source }),
    needs: { ...NEEDS, xstate: 1n << 9n },
    host: { ...HOST, cpu: { model: 'Here', flags: FLAGS.filter((flag) => flag !== 'erms') } },
  };
  assert.deepEqual(notable(importFindings(facts(change), OPTIONS)), []);
});

test('every feature of an arm64 processor is for programs', () => {
  const source = {
    ...SOURCE,
    host: { ...SOURCE.host, architecture: 'arm64', cpu: { model: 'A', flags: ['fp', 'sve'] } },
  };
  const change: Partial<ImportFacts> = {
    archive: archive({}, { facts: source }),
    needs: { ...NEEDS, machine: 'aarch64' },
    host: { ...HOST, architecture: 'arm64', machine: 'aarch64', cpu: { model: 'B', flags: ['fp'] } },
  };
  assert.match(notable(importFindings(facts(change), OPTIONS))[0]?.sentence ?? '', /had sve/);
});

test('an image that comes with the archive takes space unless it is here', () => {
  const bytes = { image: 50, rootfs: 1, volumes: 1, rest: 1 };
  assert.equal(neededBytes({ bytes, image: { present: false, inArchive: true } }, OPTIONS), 53);
  assert.equal(neededBytes({ bytes, image: { present: true, inArchive: true } }, OPTIONS), 3);
});
