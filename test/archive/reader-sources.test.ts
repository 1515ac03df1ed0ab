import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { unpackArchive } from '../../src/archive/reader.ts';
import type { Stored, UnpackRequest } from '../../src/archive/types.ts';
import { makePipe } from '../../src/system/libc.ts';
import { archive, type Contents, member } from './tar-builder.ts';
import {
  assertFails,
  childNamed,
  filesIn,
  gzip,
  inPlace,
  refused,
  requestFor,
  runFile,
  unpack,
  viaPipe,
  zstd,
} from './unpacking.ts';

const CONTENTS: Contents = [
  ['config.dump', '{"id":"1"}'],
  ['spec.dump', '{"ociVersion":"1.0.2"}'],
  ['ctr.log', 'line\n'.repeat(300)],
  ['checkpoint/pages-1.img', 'page'.repeat(700_000)],
];
const WRITTEN = Object.fromEntries(CONTENTS);
const plain = archive(...CONTENTS.map(([name, content]) => member(name, content)));

test('a pipe is read in each compression, and keeps open', async () => {
  for (const bytes of [plain, await zstd(plain), await gzip(plain)]) {
    await inPlace(async (place) => {
      await viaPipe(place, bytes);
      assert.deepEqual(await filesIn(place.directory), WRITTEN);
    });
  }
});

test('a pipe that brings nothing or garbage is no archive', () =>
  inPlace(async (place) => {
    await assertFails(viaPipe(place, Buffer.alloc(0)), /^standard input is empty/);
    await assertFails(
      viaPipe(place, Buffer.from('abc')),
      /^standard input is no sound .* cut off after 3 bytes/,
    );
    await assertFails(viaPipe(place, Buffer.alloc(5000, 'x')), /this is no tar archive/);
  }));

test('a file is read by its descriptor from where that stands', () =>
  inPlace(async (place) => {
    const path = join(place.scratch, 'archive');
    await writeFile(path, await zstd(plain));
    const fd = openSync(path, 'r');
    try {
      await unpackArchive(requestFor(place, { fd }));
    } finally {
      closeSync(fd);
    }
    assert.deepEqual(await filesIn(place.directory), WRITTEN);
  }));

test('of a file it is told how far it was read, of a pipe it is not', async () => {
  for (const bytes of [plain, await zstd(plain), await gzip(plain)]) {
    const told: (Stored | undefined)[] = [];
    const progress: UnpackRequest['progress'] = (_, stored) => told.push(stored);
    await unpack(bytes, { progress });
    const totalBytes = bytes.length;
    assert.deepEqual(told.at(-1), { bytes: totalBytes, totalBytes });
    const positions = told.map((stored) => stored?.bytes ?? -1);
    assert.deepEqual(
      positions,
      positions.toSorted((one, other) => one - other),
    );
    assert.ok((positions[0] ?? 0) > 0);
    told.splice(0);
    await inPlace((place) => viaPipe(place, bytes, { progress }));
    assert.deepEqual([...new Set(told)], [undefined]);
  }
});

test('a symbolic link to an archive is followed, and a FIFO is read', () =>
  inPlace(async (place) => {
    const [path, name] = [join(place.scratch, 'archive'), join(place.scratch, 'link')];
    await writeFile(path, plain);
    await symlink(path, name);
    await unpackArchive(requestFor(place, { path: name }, { wants: (member) => member === 'ctr.log' }));
    const fifo = join(place.scratch, 'fifo');
    await runFile('mkfifo', [fifo]);
    const writer = spawn('sh', ['-c', 'exec cat -- "$1" >"$2"', 'sh', path, fifo], { stdio: 'inherit' });
    const ended = new Promise((resolve) => writer.once('close', resolve));
    await unpackArchive(requestFor(place, { path: fifo }, { wants: (member) => member !== 'ctr.log' }));
    await ended;
    assert.deepEqual(await filesIn(place.directory), WRITTEN);
  }));

test('what is no file is told in the words of podman', () =>
  inPlace(async (place) => {
    const path = join(place.scratch, 'none');
    await assertFails(
      unpackArchive(requestFor(place, { path })),
      /^open .*\/none: no such file or directory$/,
      'USAGE',
    );
    await assertFails(unpackArchive(requestFor(place, { path: '/' })), /^\/ is a directory/, 'USAGE');
    await assertFails(unpackArchive(requestFor(place, { path: '/dev/null' })), /^\/dev\/null is empty/);
  }));

test('archives in compressions that podman does not write are told apart from garbage', async () => {
  const heads = { xz: 'fd377a585a000000', bzip2: '425a683931415926' };
  for (const [program, head] of Object.entries(heads)) {
    await refused(Buffer.from(head, 'hex'), new RegExp(`is compressed with ${program}`));
  }
});

test('what is thrown on a member ends the reading', async () => {
  for (const bytes of [plain, await zstd(plain)]) {
    await inPlace(async (place) => {
      const path = join(place.scratch, 'archive');
      await writeFile(path, bytes);
      const onMember = async (name: string) => {
        if (name === 'spec.dump') throw new RangeError('enough');
      };
      await assert.rejects(
        unpackArchive(requestFor(place, { path }, { onMember })),
        new RangeError('enough'),
      );
      assert.deepEqual(Object.keys(await filesIn(place.directory)), ['config.dump', 'spec.dump']);
    });
  }
});

test('an interrupt between two members ends the reading', async () => {
  for (const bytes of [plain, await zstd(plain)]) {
    await inPlace(async (place) => {
      const path = join(place.scratch, 'archive');
      await writeFile(path, bytes);
      const { signal, abort } = aborter();
      const request = requestFor(place, { path }, { signal, onMember: async () => abort() });
      await assertFails(unpackArchive(request), /interrupted/, 'INTERRUPTED');
    });
  }
});

test('an interrupt ends the waiting for a pipe, at its beginning and in the middle', () =>
  inPlace(async (place) => {
    // zstd tells of damage only when its next reading returns.
    const damaged = Buffer.concat([Buffer.from('28b52ffd', 'hex'), Buffer.alloc(5000, 'x')]);
    const cases = [
      ['od', Buffer.alloc(0)],
      ['cat', plain.subarray(0, 700)],
      ['zstd', (await zstd(plain)).subarray(0, 50)],
      ['zstd', damaged],
    ] as const;
    for (const [program, sent] of cases) {
      const pipe = await makePipe();
      writeSync(pipe.write, sent);
      const { signal, abort } = aborter();
      const reading = unpackArchive(requestFor(place, { fd: pipe.read }, { signal }));
      const interrupted = assertFails(reading, /^reading standard input was interrupted$/, 'INTERRUPTED');
      await childNamed(program);
      abort();
      await interrupted;
      for (const fd of Object.values(pipe)) closeSync(fd);
    }
  }));

test('an interrupt ends the waiting for whoever writes to a FIFO', () =>
  inPlace(async (place) => {
    const path = join(place.scratch, 'fifo');
    await runFile('mkfifo', [path]);
    const { signal, abort } = aborter();
    const reading = unpackArchive(requestFor(place, { path }, { signal }));
    const interrupted = assertFails(reading, /fifo was interrupted$/, 'INTERRUPTED');
    await childNamed('cat');
    abort();
    await interrupted;
  }));

function aborter(): { readonly signal: AbortSignal; readonly abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}
