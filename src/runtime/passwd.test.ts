import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { lookUp, resolveUser } from './passwd.ts';

const PASSWD =
  'root:x:0:0:root:/root:/bin/sh\nbroken line\nbob:x:1000:100::/home/bob:/bin/sh\nnohome:x:7:7:::\n';
const GROUP = 'root:x:0:\nusers:x:100:\nwheel:x:10:alice,bob\ndisk:x:6:bob\n';

const find = (user: string) => lookUp(user, PASSWD, GROUP);

test('A name gives its number, group, home and the groups that list it', () => {
  assert.deepEqual(find('bob'), {
    uid: 1000,
    gid: 100,
    additionalGids: [10, 6],
    home: '/home/bob',
    name: 'bob',
  });
});

test('An empty user is root, and a number with an entry is the same as its name', () => {
  assert.deepEqual(find(''), find('root'));
  assert.deepEqual(find('1000'), find('bob'));
});

test('A number without an entry is allowed, with group 0 and home /', () => {
  assert.deepEqual(find('4321'), { uid: 4321, gid: 0, additionalGids: [], home: '/', name: '4321' });
});

test('A group, by name or number, replaces all others', () => {
  assert.deepEqual([find('bob:wheel').gid, find('bob:wheel').additionalGids], [10, []]);
  assert.equal(find('bob:77').gid, 77);
  assert.equal(find(':10').gid, 10);
});

test('Unknown names and numbers that are no IDs are refused with the words of podman', () => {
  assert.throws(() => find('eve'), /unable to find user eve: no matching entries in passwd file/);
  assert.throws(() => find('bob:nogroup'), /unable to find group nogroup: no matching entries in group file/);
  assert.throws(() => find('4294967295'), /unable to find user/);
  assert.throws(() => find('-1'), /unable to find user/);
});

test('An entry without a home gives /', () => {
  assert.equal(find('nohome').home, '/');
});

test('A link in the image cannot make the host’s files count', (context) => {
  const rootfs = mkdtempSync(join(tmpdir(), 'cryopod-passwd-'));
  context.after(() => rmSync(rootfs, { recursive: true }));
  const outside = `${rootfs}-outside`;
  context.after(() => rmSync(outside));
  writeFileSync(outside, 'eve:x:666:666::/:/bin/sh\n');
  mkdirSync(join(rootfs, 'etc'));
  symlinkSync(outside, join(rootfs, 'etc/passwd'));
  assert.throws(() => resolveUser(rootfs, 'eve'), /unable to find user eve/);
  assert.equal(resolveUser(rootfs, '').uid, 0);
});
