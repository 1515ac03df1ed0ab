import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCpuset, parseLog, parseResources, parseShmSize, parseUlimits } from './resources.ts';
import { assertRefused } from './testing.ts';

const MIB = 2 ** 20;

test('limits of processes have a soft and a hard value', () => {
  assert.deepEqual(parseUlimits(['nofile=1024:2048', 'RLIMIT_CORE=-1', 'nproc=5', 'memlock=unlimited']), [
    { name: 'nofile', soft: 1024, hard: 2048 },
    { name: 'core', soft: -1, hard: -1 },
    { name: 'nproc', soft: 5, hard: 5 },
    { name: 'memlock', soft: -1, hard: -1 },
  ]);
  assert.deepEqual(parseUlimits(['host']), []);
});

test('wrong limits of processes are refused with the words of podman', () => {
  const refused = (text: string, reason: string) =>
    assertRefused(
      () => parseUlimits([text]),
      `ulimit option "${text}" requires name=SOFT:HARD, failed to be parsed: ${reason}`,
    );
  refused('nofile', 'invalid ulimit argument: nofile');
  refused('fly=1', 'invalid ulimit type: fly');
  refused('nofile=x', 'strconv.ParseInt: parsing "x": invalid syntax');
  refused('nofile=1:2:3', 'too many limit value arguments - 1:2:3, can only have up to two, `soft[:hard]`');
  refused('nofile=3:2', 'ulimit soft limit must be less than or equal to hard limit: 3 > 2');
  refused(
    'nofile=-1:2',
    'ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: 2',
  );
});

test('memory, CPUs and processes are limited where asked for', () => {
  assert.deepEqual(parseResources({ ulimit: [] }), { ulimits: [] });
  assert.deepEqual(
    parseResources({ memory: '64m', cpus: 1.5, cpusetCpus: '0-1,3', pidsLimit: 100, ulimit: [] }),
    { memory: 64 * MIB, memorySwap: 128 * MIB, cpus: 1.5, cpusetCpus: '0-1,3', pids: 100, ulimits: [] },
  );
  assert.deepEqual(parseResources({ memory: '64m', memorySwap: '-1', pidsLimit: 0, ulimit: [] }), {
    memory: 64 * MIB,
    memorySwap: -1,
    pids: -1,
    ulimits: [],
  });
  assert.deepEqual(parseResources({ memory: '', cpus: 0, ulimit: [] }), { ulimits: [] });
});

test('wrong limits are refused', () => {
  assertRefused(
    () => parseResources({ memory: 'x', ulimit: [] }),
    "invalid value for memory: invalid size: 'x'",
  );
  assertRefused(
    () => parseResources({ memory: '2m', memorySwap: '1m', ulimit: [] }),
    /minimum memoryswap limit/,
  );
  assertRefused(() => parseResources({ memorySwap: '1m', ulimit: [] }), /always set the memory limit/);
  assertRefused(() => parseResources({ cpus: -1, ulimit: [] }), /invalid value for cpus: -1/);
  assertRefused(() => parseCpuset('1-0'), /invalid value for cpuset-cpus: "1-0"/);
  assertRefused(() => parseCpuset('0,'), /invalid value for cpuset-cpus/);
  assert.equal(parseShmSize('65536k'), 64 * MIB);
  assertRefused(() => parseShmSize('big'), "unable to translate --shm-size: invalid size: 'big'");
});

test('logs go to a file or nowhere', () => {
  assert.deepEqual(parseLog(undefined, []), { driver: 'k8s-file', path: undefined, sizeMax: undefined });
  assert.deepEqual(parseLog('k8s-file', ['path=/x', 'max-size=10mb']), {
    driver: 'k8s-file',
    path: '/x',
    sizeMax: 1e7,
  });
  assert.equal(parseLog('none', []).driver, 'none');
  assertRefused(() => parseLog('journald', []), 'log driver "journald" is not supported');
  assertRefused(() => parseLog(undefined, ['path']), 'invalid log option "path"');
  assertRefused(() => parseLog(undefined, ['max-size=x']), "invalid size: 'x'");
});
