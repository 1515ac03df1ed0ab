import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCryopodError } from '../model/errors.ts';
import { formatLocation, parseLocation } from './transport.ts';

test('a plain name and docker:// both mean a registry', () => {
  assert.deepEqual(parseLocation('redis:7'), { transport: 'docker', name: 'redis:7' });
  assert.deepEqual(parseLocation('docker://host:5000/a:b'), { transport: 'docker', name: 'host:5000/a:b' });
  assert.deepEqual(parseLocation('docker:7'), { transport: 'docker', name: 'docker:7' });
});

test('archives and directories have a path and perhaps a name', () => {
  assert.deepEqual(parseLocation('docker-archive:/a.tar:localhost/x:y'), {
    transport: 'docker-archive',
    path: '/a.tar',
    name: 'localhost/x:y',
  });
  assert.deepEqual(parseLocation('dir:/a:b'), { transport: 'dir', path: '/a:b', name: undefined });
  assert.equal(formatLocation(parseLocation('oci-archive:/a.tar:x')), 'oci-archive:/a.tar:x');
  assert.equal(formatLocation(parseLocation('oci:rel')), `oci:${process.cwd()}/rel`);
});

for (const text of ['containers-storage:x', 'docker-daemon:x', 'sif:/x', 'dir:', 'docker-archive::x']) {
  test(`the location ${text} is refused with a reason`, () => {
    assert.throws(
      () => parseLocation(text),
      (error) => isCryopodError(error, 'USAGE'),
    );
  });
}
