import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { appendFileSync, constants } from 'node:fs';
import { mkdir, open, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ArchiveSums } from '../../src/archive/members.ts';
import { openArchiveWriter } from '../../src/archive/writer.ts';
import { isCryopodError } from '../../src/model/errors.ts';
import { readArchive, readMember, sha256, shell, withPlace } from './writing.ts';

const MIB = 1 << 20;
/** Writes 64 MiB to FIFO 1, nothing to FIFO 2, a little to FIFO 3. */
const DUMP = 'cat "$1" > "$2/pages-1.img" && : > "$2/pages-2.img" && echo third > "$2/pages-3.img"';

for (const compression of ['zstd', 'gzip', 'none'] as const) {
  test(`${compression}: the usual programs read every member of an archive as it was written`, async () => {
    await withPlace(async (place) => {
      const path = join(place.out, 'a.tar');
      const memory = Buffer.concat([randomBytes(32 * MIB), Buffer.alloc(32 * MIB, 'words ')]);
      const source = join(place.directory, 'memory');
      await writeFile(source, memory);
      const small = join(place.directory, 'small');
      await writeFile(small, 'a small file');
      const long = `volumes/${'v'.repeat(150)}.tar`;
      let seen = 0;
      const writer = await openArchiveWriter({
        target: { path },
        compression,
        scratch: place.scratch,
        progress: (bytes) => {
          assert.ok(bytes >= seen);
          seen = bytes;
        },
      });
      await writer.addContent('config.dump', '{}');
      await writer.addDirectory('checkpoint');
      const dumped = await writer.addPages('checkpoint', place.images, () =>
        shell(DUMP, [source, place.images]),
      );
      assert.equal(dumped, 0);
      await writer.addFile('checkpoint/core-1.img', small);
      await writer.addFile('checkpoint/ghost-file-1.img', source);
      await writer.addStream(long, async (fd) => void (await shell('cat "$1"', [source], fd)));
      await writer.addContent('empty', '');
      const written = await writer.finish();
      assert.deepEqual(
        (await readdir(place.out)).map((name) => name.startsWith('.tmp-a.tar-')),
        [true],
      );
      await writer.publish();
      await writer.discard();

      assert.deepEqual(await readdir(place.out), ['a.tar']);
      const { mode, uid, size } = await stat(path);
      assert.deepEqual([mode & 0o777, uid, size], [0o600, 0, written.bytes]);
      const found = readArchive(path, compression);
      const { 'cryopod.sums': sumsDigest, ...content } = found;
      assert.deepEqual(content, {
        'config.dump': sha256('{}'),
        'checkpoint/pages-1.img': sha256(memory),
        'checkpoint/pages-2.img': sha256(''),
        'checkpoint/pages-3.img': sha256('third\n'),
        'checkpoint/core-1.img': sha256('a small file'),
        'checkpoint/ghost-file-1.img': sha256(memory),
        [long]: sha256(memory),
        empty: sha256(''),
      });
      const text = readMember(path, compression, 'cryopod.sums');
      assert.equal(sha256(text), sumsDigest);
      const sums = JSON.parse(text) as ArchiveSums;
      assert.deepEqual(sums.members, written.members);
      const large = ['checkpoint/pages-1.img', 'checkpoint/ghost-file-1.img', long];
      for (const { name, sha256: digest } of sums.members) {
        const isFrame = compression !== 'none' && large.includes(name);
        assert.equal(digest, isFrame ? undefined : content[name], name);
      }
      const lines = sums.members.map((m) => `${m.sha256 ?? '-'}  ${m.size}  ${m.name}\n`);
      assert.equal(sums.sha256, sha256(lines.join('')));
      assert.equal(written.sha256, sums.sha256);
      assert.equal(
        seen,
        sums.members.reduce((sum, m) => sum + m.size, text.length),
      );
    });
  });

  test(`${compression}: a pipe gets the same archive`, async () => {
    await withPlace(async (place) => {
      const path = join(place.out, 'copy');
      const fifo = join(place.directory, 'pipe');
      await shell('mkfifo "$1"', [fifo]);
      const reader = shell('cat "$1" > "$2"', [fifo, path]);
      const writer = await openArchiveWriter({
        target: { path: fifo },
        compression,
        scratch: place.scratch,
      });
      await writer.addContent('config.dump', '{}');
      await writer.addStream('rootfs-diff.tar', async (fd) => {
        await shell('head -c 3000000 /dev/zero', [], fd);
      });
      const { bytes } = await writer.finish();
      await writer.publish();
      await writer.discard();
      assert.equal(await reader, 0);
      assert.equal((await stat(path)).size, bytes);
      const { 'cryopod.sums': _, ...content } = readArchive(path, compression);
      assert.deepEqual(content, {
        'config.dump': sha256('{}'),
        'rootfs-diff.tar': sha256(Buffer.alloc(3_000_000)),
      });
    });
  });
}

test('a dump of a hundred processes keeps each pages file apart and in order, also empty ones at its very end', async () => {
  await withPlace(async (place) => {
    const path = join(place.out, 'a.tar');
    const writer = await openArchiveWriter({ target: { path }, compression: 'none', scratch: place.scratch });
    const many = 'i=1; while [ $i -le 100 ]; do echo "page $i" > "$1/pages-$i.img"; i=$((i+1)); done';
    await writer.addPages('checkpoint', place.images, () => shell(many, [place.images]));
    // The last thing a dump does is to open a FIFO and write nothing: it must not be lost.
    for (let round = 0; round < 20; round += 1) {
      const nothing = ': > "$1/pages-1.img"';
      await writer.addPages(`round-${round}`, place.images, () => shell(nothing, [place.images]));
    }
    const { members } = await writer.finish();
    await writer.publish();
    assert.equal(members.length, 120);
    for (const [at, { name, sha256: digest }] of members.slice(0, 100).entries()) {
      assert.deepEqual([name, digest], [`checkpoint/pages-${at + 1}.img`, sha256(`page ${at + 1}\n`)]);
    }
    assert.equal(members.at(-1)?.name, 'round-19/pages-1.img');
    assert.equal(Object.keys(readArchive(path, 'none')).length, 121);
    await writer.discard();
  });
});

test('a failed dump is reported as it failed, and nothing is left of the archive', async () => {
  await withPlace(async (place) => {
    const path = join(place.out, 'a.tar');
    const writer = await openArchiveWriter({ target: { path }, compression: 'zstd', scratch: place.scratch });
    const dump = async (): Promise<never> => {
      await shell('echo some > "$1/pages-1.img"', [place.images]);
      throw new Error('CRIU failed');
    };
    await assert.rejects(writer.addPages('checkpoint', place.images, dump), /^Error: CRIU failed$/);
    await assert.rejects(writer.addContent('more', ''), (error) => isCryopodError(error, 'INTERNAL'));
    await writer.discard();
    await writer.discard();
    assert.deepEqual(await readdir(place.out), []);
  });
});

test('an archive replaces a file, through symbolic links, only when it is published', async () => {
  await withPlace(async (place) => {
    const path = join(place.out, 'a.tar');
    const link = join(place.directory, 'link');
    await writeFile(path, 'old');
    await symlink(path, link);
    const target = { path: link };
    const discarded = await openArchiveWriter({ target, compression: 'zstd', scratch: place.scratch });
    await discarded.addContent('a', 'new');
    await discarded.finish();
    assert.equal(await readFile(path, 'utf8'), 'old');
    await discarded.discard();
    assert.equal(await readFile(path, 'utf8'), 'old');
    const kept = await openArchiveWriter({ target, compression: 'zstd', scratch: place.scratch });
    await kept.addContent('a', 'new');
    await kept.finish();
    await kept.publish();
    await kept.discard();
    assert.equal(readArchive(path, 'zstd').a, sha256('new'));
    assert.deepEqual(await readdir(place.out), ['a.tar']);
  });
});

test('a target that cannot be written is refused before anything is written, in words that say why', async () => {
  await withPlace(async (place) => {
    const cases = [
      [{ path: join(place.out, 'none', 'a.tar') }, /: no such file or directory$/, /Create the directory/],
      [{ path: place.out }, /: is a directory$/, /checkpoint\.tar\.zst/],
      [{ path: '/proc/a.tar' }, /^open \/proc\/a\.tar: /, /other|create files/],
      [{ path: '/dev/null/a.tar' }, /: not a directory$/, /create files/],
      [{ path: join(place.out, 'n'.repeat(300)) }, /: file name too long$/, /create files/],
      [{ fd: 999 }, /^open descriptor 999: not open/, /Redirect/],
    ] as const;
    for (const [target, message, hint] of cases) {
      await assert.rejects(
        openArchiveWriter({ target, compression: 'zstd', scratch: place.scratch }),
        (error) => {
          assert.ok(isCryopodError(error, 'USAGE'), String(error));
          assert.match(error.message, message);
          assert.match(error.hint ?? '', hint);
          return true;
        },
      );
    }
    assert.deepEqual(await readdir(place.out), []);
  });
});

test('names that would lead elsewhere or come twice are defects', async () => {
  await withPlace(async (place) => {
    for (const names of [['/etc/passwd'], ['../a'], ['a/../b'], ['a//b'], ['./a'], [''], ['a', 'a']]) {
      const target = { path: join(place.out, 'a.tar') };
      const writer = await openArchiveWriter({ target, compression: 'none', scratch: place.scratch });
      const adding = async (): Promise<void> => {
        for (const name of names) await writer.addContent(name, 'x');
      };
      await assert.rejects(adding, (error) => isCryopodError(error, 'INTERNAL'), names.join());
      await writer.discard();
    }
  });
});

test('only regular files are added, and only while they stay as they are', async () => {
  await withPlace(async (place) => {
    const large = join(place.directory, 'large');
    await writeFile(large, Buffer.alloc(2 * MIB));
    const link = join(place.directory, 'link');
    await symlink(large, link);
    const fifo = join(place.directory, 'fifo');
    await shell('mkfifo "$1"', [fifo]);
    await mkdir(join(place.directory, 'directory'));
    const add = async (path: string, progress?: () => void): Promise<void> => {
      const writer = await openArchiveWriter({
        target: { path: join(place.out, 'a.tar') },
        compression: 'none',
        scratch: place.scratch,
        progress,
      });
      try {
        await writer.addFile('a', path);
      } finally {
        await writer.discard();
      }
    };
    await add(large);
    for (const path of [link, fifo, join(place.directory, 'directory'), join(place.directory, 'none')]) {
      await assert.rejects(add(path), (error) => isCryopodError(error, 'ARCHIVE_FAILED'), path);
    }
    let hasGrown = false;
    const grow = (): void => {
      if (!hasGrown) appendFileSync(large, Buffer.alloc(MIB));
      hasGrown = true;
    };
    await assert.rejects(
      add(large, grow),
      (error) => isCryopodError(error, 'ARCHIVE_FAILED') && /changed while/.test(error.message),
    );
  });
});

test('an open regular file gets an archive where its offset is', async () => {
  await withPlace(async (place) => {
    const path = join(place.out, 'a.tar');
    const file = await open(path, constants.O_WRONLY | constants.O_CREAT);
    const target = { fd: file.fd };
    const writer = await openArchiveWriter({ target, compression: 'gzip', scratch: place.scratch });
    await writer.addContent('a', 'x');
    await writer.finish();
    await writer.publish();
    await writer.discard();
    await file.close();
    assert.equal(readArchive(path, 'gzip').a, sha256('x'));
  });
});
