import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { unpackArchive } from '../../src/archive/reader.ts';
import { archive, directory, header, link, longName, member, pax, withChecksum } from './tar-builder.ts';
import { assertFails, filesIn, inPlace, refused, requestFor, runFile, unpack } from './unpacking.ts';

const GIB = 1 << 30;
const config = member('config.dump', '{}');

/** Each is refused with a message that names the member, in all three ways to tell a name. */
const UNSAFE_NAMES: Readonly<Record<string, string>> = {
  'an absolute path': '/etc/cron.d/x',
  'an absolute path that begins with two slashes': '//etc/passwd',
  'a path out of the directory': '../escape',
  'a path that goes in and out': 'checkpoint/../../escape',
  'a path that stays inside by a detour': 'checkpoint/../config.dump',
  'a path that ends with two dots': 'checkpoint/..',
  'a path with a dot inside': 'checkpoint/./core-1.img',
  'a path with two dots and a slash in front': './../escape',
  'two dots alone': '..',
  'three dots': 'checkpoint/...',
  'two slashes in a row': 'checkpoint//core-1.img',
  'a slash at the end of a file': 'config.dump/',
  'a backslash': 'checkpoint\\core-1.img',
  'a line break': 'config.dump\n',
  'an escape sequence': '\x1b[2Jconfig.dump',
  'a space': 'config dump',
  'no ASCII': 'c\xf6nfig.dump',
};

for (const [what, name] of Object.entries(UNSAFE_NAMES)) {
  test(`a name that is ${what} is refused`, async () => {
    const message = /has a name that is not safe|has no place/;
    await refused(archive(config, member(name, 'x')), message);
    await refused(archive(longName(name), member('config.dump', 'x')), message);
    await refused(archive(pax({ path: name }), member('config.dump', 'x')), message);
    await refused(archive(header({ name, type: '5' })), /.*/);
  });
}

test('an empty name is refused', async () => {
  await refused(archive(member('', 'x')), /name that is not safe/);
  await refused(archive(pax({ path: '' }), member('config.dump', 'x')), /name that is not safe/);
  await refused(archive(longName(''), member('config.dump', 'x')), /name that is not safe/);
});

test('a NUL byte in a name is refused', async () => {
  await refused(archive(pax({ path: 'config.dump\0x' }), member('y', 'x')), /name that is not safe/);
  await refused(archive(longName('config.dump\0x'), member('y', 'x')), /NUL byte/);
});

test('a name of absurd length is refused and shown cut', async () => {
  const name = `checkpoint/${'n'.repeat(4000)}`;
  await refused(
    archive(longName(name), member('y', 'x')),
    /member "checkpoint\/n{69}…" has a name of 4011 bytes/,
  );
});

test('names that belong nowhere in a checkpoint archive are refused', async () => {
  const names = [
    'checkpoint/a/b',
    'checkpoint/-option',
    'checkpoint/.hidden',
    'volumes/name',
    'volumes/.tar',
    'volumes/-x.tar',
    'volumes/a/b.tar',
    'etc/passwd',
    'config.dump/x',
    'checkpoint',
    'volumes',
  ];
  for (const name of names)
    await refused(archive(member(name, 'x')), /has no place in|name that is not safe/);
  for (const name of ['etc', 'config.dump', 'checkpoint/sub', 'volumes/v.tar']) {
    await refused(archive(directory(name)), /has no place in a checkpoint archive/);
  }
});

test('a symbolic link is refused, and nothing is written through it', async () => {
  const targets = ['/etc', '..', '../..', '/etc/passwd', '../pre-checkpoint', ''];
  for (const name of ['checkpoint', 'config.dump', 'volumes', 'checkpoint/x', 'dump.log', 'artifacts/x']) {
    for (const target of targets) {
      await refused(archive(link(name, target), member(`${name}/x`, 'through')), /is a symbolic link to/);
    }
  }
});

test('the link to the pre-checkpoint may lead nowhere else, and nothing is written through it', async () => {
  for (const target of [
    '..',
    '../pre-checkpoint/',
    '/tmp',
    '../../pre-checkpoint',
    'x/../../pre-checkpoint',
  ]) {
    await refused(archive(link('checkpoint/parent', target)), /"checkpoint\/parent" is a symbolic link to/);
    await refused(
      archive(pax({ linkpath: target }), link('checkpoint/parent', '../pre-checkpoint')),
      /is a symbolic link/,
    );
  }
  const parent = link('checkpoint/parent', '../pre-checkpoint');
  await refused(archive(parent, member('checkpoint/parent/x', 'x')), /has no place/);
  await refused(archive(parent, parent), /occurs twice/);
  await refused(archive(member('checkpoint/parent', 'x')), /has no place/);
  await refused(archive(directory('checkpoint/parent')), /has no place/);
});

test('a link that an archive leads to beforehand is not followed', () =>
  inPlace(async (place) => {
    const path = join(place.scratch, 'archive');
    await writeFile(path, archive(member('checkpoint/x', 'x')));
    await mkdir(join(place.directory, 'checkpoint'), { mode: 0o700 });
    await assertFails(unpackArchive(requestFor(place, { path })), /EEXIST/, 'STORE_FAILED');
  }));

const REFUSED_TYPES: Readonly<Record<string, string>> = {
  'a hard link': '1',
  'a character device': '3',
  'a block device': '4',
  'a FIFO': '6',
  'a sparse file': 'S',
  'of the unknown type "7"': '7',
  'of the unknown type "D"': 'D',
  'of the unknown type "V"': 'V',
  'of the unknown type "K"': 'K',
};

for (const [what, type] of Object.entries(REFUSED_TYPES)) {
  test(`a member that is ${what} is refused under every name`, async () => {
    for (const name of [
      'config.dump',
      'checkpoint/core-1.img',
      'checkpoint/parent',
      'dump.log',
      'artifacts/x',
    ]) {
      const bytes = archive(config, header({ name, type, target: 'config.dump' }));
      await refused(bytes, new RegExp(`its member "${name}" is ${what}`));
    }
  });
}

test('real devices and FIFOs, as GNU tar archives them, are refused', () =>
  inPlace(async (place) => {
    const tree = join(place.scratch, 'tree');
    await mkdir(join(tree, 'checkpoint'), { recursive: true });
    await runFile('mkfifo', [join(tree, 'checkpoint/fifo')]);
    const path = join(place.scratch, 'archive');
    await runFile('tar', ['--create', '--zstd', `--file=${path}`, `--directory=${tree}`, 'checkpoint']);
    await assertFails(unpackArchive(requestFor(place, { path })), /"checkpoint\/fifo" is a FIFO/);
  }));

test('a sparse file in pax form is refused', async () => {
  const records = { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 'config.dump' };
  await refused(archive(pax(records), member('config.dump', 'x')), /sparse file/);
});

test('a member that occurs twice is refused, in whatever way it is named', async () => {
  await refused(archive(config, config), /"config.dump" occurs twice/);
  await refused(archive(config, member('./config.dump', 'x')), /occurs twice/);
  await refused(archive(config, pax({ path: 'config.dump' }), member('y', 'x')), /occurs twice/);
  await refused(archive(directory('checkpoint'), directory('checkpoint')), /occurs twice/);
  await refused(archive(member('dump.log'), member('dump.log')), /occurs twice/);
});

test('a file below a file is refused', async () => {
  const bytes = archive(member('artifacts/a', 'x'), member('artifacts/a/b', 'x'));
  await refused(bytes, /"artifacts\/a\/b" lies below "artifacts\/a", which is no directory/);
});

test('a directory or a link with content is refused', async () => {
  await refused(archive(member('checkpoint/', 'x', { type: '5' })), /a directory with content/);
  await refused(
    archive(member('checkpoint/parent', 'x', { type: '2', target: '../pre-checkpoint' })),
    /a link with/,
  );
});

test('headers that extend others are bounded, well formed and not repeated', async () => {
  const x = (content: string) => member('x', content, { type: 'x' });
  const malformed = [
    '',
    '5 a\n',
    '0 a=b\n',
    '99 a=b\n',
    '6 a=bc',
    ' 6 a=b\n',
    '-6 a=b\n',
    '6 a=b\n6',
    '2\n',
    '4 =\n\n',
  ];
  for (const content of malformed.slice(1))
    await refused(archive(x(content), config), /pax header is malformed/);
  assert.deepEqual((await unpack(archive(x(''), config))).written, { 'config.dump': '{}' });
  await refused(archive(pax({ path: 'a' }), pax({ path: 'b' }), config), /two pax headers/);
  await refused(archive(longName('a'), longName('b'), config), /two long names/);
  await refused(archive(longName('a'), pax({ path: 'b' }), config), /two long names/);
  await refused(archive(x('6 a=b\n6 a=c\n'), config), /tells a twice/);
  await refused(archive(pax({ path: 'spec.dump' }, 'g'), config), /one header names all members/);
  await refused(archive(pax({ path: 'spec.dump' })), /a header that names no member/);
  await refused(archive(header({ name: 'x', type: 'x', size: GIB })), /claims 1073741824 bytes/);
  await refused(archive(header({ name: 'x', type: 'L', size: GIB })), /claims 1073741824 bytes/);
});

test('headers with a wrong checksum or of no known tar are refused', async () => {
  const bytes = archive(config);
  const changed = Buffer.from(bytes);
  changed[0] = 0x43;
  await refused(changed, /wrong checksum/);
  const old = Buffer.from(bytes);
  old.fill(0, 257, 265);
  withChecksum(old);
  await refused(old, /unknown kind of tar/);
});

test('more members than any container has are refused', async () => {
  const names = Array.from({ length: 100_001 }, (_, at) => header({ name: `checkpoint/${at}.img` }));
  await refused(archive(...names), /more than 100000 members/, 'ARCHIVE_INVALID', { wants: () => false });
});

test('CVE-2024-8676: bind mounts that an archive brings are not read, let alone made', async () => {
  const mounts = JSON.stringify([{ source: '/etc', destination: '/host-etc' }]);
  const result = await unpack(archive(config, member('bind.mounts', mounts)));
  assert.deepEqual(result.unknown, ['bind.mounts']);
  assert.deepEqual(result.written, { 'config.dump': '{}' });
  await refused(archive(directory('host-etc'), member('host-etc/passwd', 'x')), /has no place/);
});

test('CVE-2026-53489: a log that is a link to a file of the host is refused', async () => {
  for (const name of ['ctr.log', 'container.log', 'dump.log']) {
    for (const target of ['/etc/shadow', '../../../etc/shadow', 'config.dump']) {
      await refused(archive(config, link(name, target)), /is a symbolic link to/);
      await refused(archive(config, header({ name, type: '1', target })), /is a hard link/);
    }
  }
});

test('CVE-2026-50195: an image that an archive brings is one file under its own name', async () => {
  const result = await unpack(archive(config, member('cryopod-image.tar', 'image')));
  assert.deepEqual(result.written, { 'config.dump': '{}', 'cryopod-image.tar': 'image' });
  for (const name of ['overlay-images/images.json', 'images/x', 'manifest.json/x', 'blobs/sha256/x']) {
    await refused(archive(config, member(name, '{}')), /has no place/);
  }
});

test('CVE-2026-53492: settings of the engine that an archive brings beside its spec are not written', async () => {
  const extra = ['annotations.json', 'cdi.json', 'pod.options', 'status.dump', 'artifacts/hooks.json'];
  const result = await unpack(archive(config, ...extra.map((name) => member(name, '{}'))));
  assert.deepEqual(result.written, { 'config.dump': '{}' });
  for (const name of ['cdi/vendor.json', 'hooks.d/hook.json']) {
    await refused(archive(member(name, '{}')), /has no place/);
  }
});

test('CVE-2025-0426: an archive cannot fill the disk, however it divides what it brings', async () => {
  const parts = Array.from({ length: 20 }, (_, at) => member(`volumes/v${at}.tar`, 'x'.repeat(1000)));
  await inPlace(async (place) => {
    const path = join(place.scratch, 'archive');
    await writeFile(path, archive(...parts));
    const unpacking = unpackArchive(requestFor(place, { path }, { maxBytes: 10_500 }));
    await assertFails(
      unpacking,
      /take 11000 bytes up to "volumes\/v10.tar", and 10500 may be used/,
      'NO_SPACE',
    );
    const bytes = Object.values(await filesIn(place.directory)).join('').length;
    assert.equal(bytes, 10_000);
  });
});
