import assert from 'node:assert/strict';
import { mkdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { MemberDigest } from '../../src/archive/members.ts';
import { unpackArchive } from '../../src/archive/reader.ts';
import { digestOfMembers } from '../../src/archive/sums.ts';
import { openArchiveWriter } from '../../src/archive/writer.ts';
import {
  archive,
  BLOCK,
  type Contents,
  directory,
  END,
  link,
  longName,
  member,
  pax,
  summedArchive,
  sumsOf,
} from './tar-builder.ts';
import { filesIn, inPlace, type Place, refused, requestFor, runFile, unpack, zstd } from './unpacking.ts';

/** As podman has them; pages longer than a tar reader's part. */
const CONTENTS: Contents = [
  ['config.dump', '{"id":"1"}'],
  ['spec.dump', '{"ociVersion":"1.0.2"}'],
  ['ctr.log', 'line\n'.repeat(300)],
  ['checkpoint/core-1.img', 'core'],
  ['checkpoint/pages-1.img', 'page'.repeat(700_000)],
  ['checkpoint/tmpfs-dev-43.tar.gz.img', 'tmpfs'],
  ['checkpoint/descriptors.json', '["/dev/null"]'],
  ['checkpoint/empty.img', ''],
  ['volumes/my_volume-1.x.tar', 'volume'],
  ['rootfs-diff.tar', 'x'.repeat(512)],
];

const names = CONTENTS.map(([name]) => name);
const WRITTEN = Object.fromEntries(CONTENTS);
const plain = archive(...CONTENTS.map(([name, content]) => member(name, content)));

for (const format of ['gnu', 'ustar', 'posix']) {
  for (const compression of ['zstd', 'gzip', 'none'] as const) {
    test(`an archive by GNU tar in the format ${format} with compression ${compression} comes out as it went in`, () =>
      inPlace(async (place) => {
        const path = await gnuArchive(place, `--format=${format}`, ...compressionOption(compression));
        const result = await unpackArchive(requestFor(place, { path }));
        assert.deepEqual(await filesIn(place.directory), WRITTEN);
        assert.equal(result.compression, compression);
        assert.equal(result.verified, false);
        assert.deepEqual(result.unknown, []);
        assert.deepEqual(result.members.map(({ name }) => name).sort(), names.toSorted());
      }));
  }
}

const compressionOption = (compression: 'zstd' | 'gzip' | 'none') =>
  compression === 'none' ? [] : [`--${compression}`];

/** Laid out as podman does it: each directory before what is in it, and `./` in front as other programs have it. */
async function gnuArchive(place: Place, ...options: readonly string[]): Promise<string> {
  const tree = join(place.scratch, 'tree');
  for (const part of ['', 'artifacts', 'checkpoint', 'volumes']) await mkdir(join(tree, part));
  for (const [name, content] of CONTENTS) await writeFile(join(tree, name), content);
  const path = join(place.scratch, 'archive.any-suffix');
  await runFile('tar', ['--create', `--file=${path}`, ...options, `--directory=${tree}`, '.']);
  return path;
}

test('only wanted members are written, and each is told of when it is complete', async () => {
  const told: string[] = [];
  const result = await unpack(plain, {
    wants: (name) => name.startsWith('checkpoint/') || name === 'config.dump',
    onMember: async (name) => {
      told.push(name);
    },
  });
  const wanted = names.filter((name) => name.startsWith('checkpoint/') || name === 'config.dump');
  assert.deepEqual(Object.keys(result.written), wanted.toSorted());
  assert.deepEqual(told, wanted);
  assert.deepEqual(
    result.members.map(({ name }) => name),
    names,
  );
});

test('a member is complete on the file system when it is told of', () =>
  inPlace(async (place) => {
    const path = join(place.scratch, 'archive');
    await writeFile(path, await zstd(plain));
    await unpackArchive(
      requestFor(
        place,
        { path },
        {
          onMember: async (name) => assert.equal((await filesIn(place.directory))[name], WRITTEN[name]),
        },
      ),
    );
  }));

test('progress counts the uncompressed bytes', async () => {
  let last = 0;
  await unpack(await zstd(plain), {
    progress: (bytes) => {
      assert.ok(bytes >= last);
      last = bytes;
    },
  });
  assert.equal(last, plain.length);
});

test('long names and sizes may stand in headers of their own', async () => {
  const name = `checkpoint/${'n'.repeat(150)}.img`;
  const other = `checkpoint/${'p'.repeat(150)}.img`;
  const parts = [
    longName(name),
    member('cut', 'gnu'),
    pax({ path: other, size: '3', mtime: '1.5', comment: 'ignored' }),
    member('cut', 'pax', { size: 0 }),
    pax({ comment: 'of all members' }, 'g'),
    member('log', 'prefix', { prefix: 'checkpoint' }),
    member('checkpoint/binary', 'binary', { size: Buffer.from('800000000000000000000006', 'hex') }),
  ];
  const { written } = await unpack(archive(...parts));
  assert.deepEqual(written, {
    [name]: 'gnu',
    [other]: 'pax',
    'checkpoint/log': 'prefix',
    'checkpoint/binary': 'binary',
  });
});

test('the link to the pre-checkpoint is made', () =>
  inPlace(async (place) => {
    const path = join(place.scratch, 'archive');
    const parts = [
      directory('checkpoint'),
      link('checkpoint/parent', '../pre-checkpoint'),
      member('pre-checkpoint/pages-1.img', 'x'),
    ];
    await writeFile(path, archive(...parts));
    await unpackArchive(requestFor(place, { path }));
    assert.equal(await readlink(join(place.directory, 'checkpoint/parent')), '../pre-checkpoint');
    assert.deepEqual(Object.keys(await filesIn(place.directory)), [
      'checkpoint/parent',
      'pre-checkpoint/pages-1.img',
    ]);
  }));

test('members that no kind of archive has are read past and named', async () => {
  const extra = [
    'dump.log',
    'bind.mounts',
    'container.log',
    'status.dump',
    'pod.options',
    'pod.dump',
    'io.kubernetes.cri-o.LogPath',
  ];
  const parts = extra.map((name) => member(name, 'content'));
  const result = await unpack(
    archive(...parts, directory('artifacts'), member('artifacts/a', 'b'), member('ctr.log', 'c')),
  );
  assert.deepEqual(result.unknown, extra);
  assert.deepEqual(result.written, { 'ctr.log': 'c' });
});

test('an archive whose sums agree is verified, whatever of it is wanted', async () => {
  for (const wants of [() => true, () => false]) {
    const result = await unpack(await zstd(summedArchive(CONTENTS)), { wants });
    assert.equal(result.verified, true);
    assert.deepEqual(
      result.members.map(({ name }) => name),
      [...names, 'cryopod.sums'],
    );
  }
});

test('one changed byte in any member is found by the sums, and the member is named', async () => {
  const whole = summedArchive(CONTENTS);
  for (const [name, content] of CONTENTS.filter(([, text]) => text !== '')) {
    const bytes = Buffer.from(whole);
    const at = bytes.indexOf(content, bytes.indexOf(`${name}\0`) + BLOCK);
    bytes[at] = (bytes[at] ?? 0) ^ 0x01;
    const named = new RegExp(`its member "${name}" does not have the content`);
    await refused(bytes, named);
    // Compressed anew, so that the frame's own check is right.
    await refused(await zstd(bytes), named);
  }
});

test('a member without a digest is held against the check of its frame, which only a compressed archive has', async () => {
  const pages = 'page'.repeat(700_000);
  const [name, size] = ['checkpoint/pages-1.img', pages.length];
  const members = [{ name, size }];
  const sums = { version: 2, members, sha256: digestOfMembers(members) };
  const whole = archive(member(name, pages), member('cryopod.sums', JSON.stringify(sums)));
  assert.equal((await unpack(whole)).verified, false);
  const packed = await zstd(whole);
  assert.equal((await unpack(packed)).verified, true);
  const other = { ...sums, members: [{ name, size: size + 4 }] };
  await refused(
    await zstd(archive(member(name, pages), member('cryopod.sums', JSON.stringify(other)))),
    /does not have the content/,
  );
});

test('members that are missing, added, renamed or in another order do not agree with the sums', async () => {
  const parts = CONTENTS.map(([name, content]) => member(name, content));
  const sums = sumsOf(CONTENTS);
  await refused(archive(...parts.slice(1), sums), /"spec.dump" is not where its sums have it/);
  await refused(archive(...parts.slice(0, -1), sums), /lacks the member "rootfs-diff.tar"/);
  await refused(archive(member('dump.log', 'x'), ...parts, sums), /"dump.log" is not where/);
  await refused(archive(...parts, member('dump.log', 'x'), sums), /"dump.log" is not where/);
  await refused(archive(...parts.toReversed(), sums), /"rootfs-diff.tar" is not where/);
  await refused(archive(...parts, sums, member('dump.log', 'x')), /"dump.log" comes after its sums/);
});

test('sums that are malformed or whose own sum is wrong are refused', async () => {
  const part = member('ctr.log', 'x');
  const [right] = /\{.*\}/.exec(sumsOf([['ctr.log', 'x']]).toString()) ?? [];
  const value = JSON.parse(right ?? '');
  const withSums = (content: string) => archive(part, member('cryopod.sums', content));
  await refused(withSums('{'), /sums are not JSON/);
  await refused(withSums('{"version":3}'), /sums are malformed at version/);
  await refused(withSums(JSON.stringify({ ...value, sha256: '0'.repeat(64) })), /sum of its sums is wrong/);
  assert.equal((await unpack(withSums(JSON.stringify(value)))).verified, true);
});

test('zeros may follow the end, nothing else may', async () => {
  assert.deepEqual((await unpack(Buffer.concat([plain, Buffer.alloc(100_000)]))).written, WRITTEN);
  const followed = Buffer.concat([plain, Buffer.alloc(9000), Buffer.from('x')]);
  await refused(followed, /data follows the mark of its end/);
  await refused(
    Buffer.concat([plain.subarray(0, -END.length / 2), plain]),
    /data follows the mark of its end/,
  );
});

for (const compression of ['zstd', 'gzip', 'none'] as const) {
  test(`what cryopod writes with compression ${compression} is read and verified`, () =>
    inPlace(async (place) => {
      const path = join(place.scratch, 'archive');
      const written = await writeArchive(place, path, compression);
      const result = await unpackArchive(requestFor(place, { path }));
      const { 'cryopod.sums': sums, ...files } = await filesIn(place.directory);
      assert.deepEqual(files, WRITTEN);
      assert.equal(JSON.parse(String(sums)).sha256, written.sha256);
      assert.equal(result.verified, true);
      assert.equal(result.compression, compression);
      const sizes = (members: readonly MemberDigest[]) => members.map(({ name, size }) => ({ name, size }));
      assert.deepEqual(sizes(result.members.slice(0, -1)), sizes(written.members));
    }));
}

async function writeArchive({ scratch }: Place, path: string, compression: 'zstd' | 'gzip' | 'none') {
  const writer = await openArchiveWriter({ target: { path }, compression, scratch });
  try {
    for (const name of ['checkpoint', 'artifacts', 'volumes']) await writer.addDirectory(name);
    for (const [name, content] of CONTENTS) await writer.addContent(name, content);
    const written = await writer.finish();
    await writer.publish();
    return written;
  } finally {
    await writer.discard();
  }
}
