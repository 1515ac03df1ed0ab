import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCryopodError } from '../model/errors.ts';
import { criuConfigText, criuRuntimeFlags, isConfigurablePath } from './options.ts';
import { criuDefects, criuVersionNumber } from './probe.ts';

test('by default only the limit for deleted files is raised', () => {
  assert.equal(criuConfigText({}), 'ghost-limit 1073741824\n');
});

test('every option is one line', () => {
  const text = criuConfigText({
    ghostLimit: 5,
    linkRemap: true,
    skipInFlight: true,
    tcpClose: true,
    networkLock: 'nftables',
    watchedPaths: ['/data', '/with space'],
    cgroupRoot: '/cryopod-1',
    freezeTimeout: 12.5,
  });
  assert.deepEqual(text.trimEnd().split('\n'), [
    'ghost-limit 5',
    'link-remap',
    'skip-in-flight',
    'tcp-close',
    'network-lock nftables',
    'cgroup-root "/cryopod-1"',
    'timeout 13',
    'irmap-scan-path "/data"',
    'irmap-scan-path "/with space"',
  ]);
});

test('a path that would end the line or begin a comment is not written', () => {
  for (const path of ['/a\nwork-dir /', '/a"b', '/a#b', '/a\\']) {
    assert.equal(isConfigurablePath(path), false);
    assert.throws(
      () => criuConfigText({ watchedPaths: [path] }),
      (error) => isCryopodError(error, 'INTERNAL'),
    );
  }
});

test('runtimes with flags of their own get them', () => {
  assert.deepEqual(criuRuntimeFlags({}), []);
  assert.deepEqual(criuRuntimeFlags({ linkRemap: true, skipInFlight: true }), [
    '--link-remap',
    '--tcp-skip-in-flight',
  ]);
});

test('versions become numbers that can be compared', () => {
  const numbers = ['4.2.1', '4.2', '3.17.1-2+deb12u2', '3.11', 'GitID'].map(criuVersionNumber);
  assert.deepEqual(numbers, [40201, 40200, 31701, 31100, undefined]);
});

test('a CRIU that is too old for the kernel is known', () => {
  assert.equal(criuDefects(31701, '6.1.0-40-amd64').length, 0);
  assert.equal(criuDefects(31701, '6.13.0').length, 1);
  assert.equal(criuDefects(40101, '6.15.9').length, 0);
  assert.match(criuDefects(40101, '6.18.44-fc')[0]?.meaning ?? '', /network socket/);
  assert.equal(criuDefects(40201, '7.0.1').length, 0);
});
