import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ArchiveCompression } from '../../src/archive/members.ts';
import type { ArchiveTarget } from '../../src/archive/types.ts';
import { openArchiveWriter } from '../../src/archive/writer.ts';
import { type CryopodError, isCryopodError } from '../../src/model/errors.ts';
import { makePipe } from '../../src/system/libc.ts';
import { type Place, shell, withPlace } from './writing.ts';

/** A dump of more than any buffer between it and the archive holds; its status must be 0 whatever becomes of that. */
const DUMP = 'head -c 40000000 /dev/urandom > "$1/pages-1.img" && echo second > "$1/pages-2.img"';

interface Attempt {
  readonly target: ArchiveTarget;
  readonly compression: ArchiveCompression;
  readonly scratch?: string;
  readonly signal?: AbortSignal;
  readonly progress?: () => void;
}

/** Archives a dump whose writing must fail, and gives the error. The dump must come to its own end. */
async function failPages(place: Place, attempt: Attempt): Promise<CryopodError> {
  const writer = await openArchiveWriter({ scratch: place.scratch, ...attempt });
  let status: number | null = null;
  let failure: unknown;
  try {
    await writer.addPages('checkpoint', place.images, async () => {
      status = await shell(DUMP, [place.images]);
    });
    await writer.finish();
  } catch (error) {
    failure = error;
  }
  assert.equal(status, 0, 'the dump went on to its end');
  assert.ok(isCryopodError(failure), String(failure));
  await writer.discard();
  return failure;
}

/** Mounts a file system of 4 MiB. */
async function withFullDisk(place: Place, work: (disk: string) => Promise<void>): Promise<void> {
  const disk = join(place.directory, 'disk');
  await mkdir(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk]);
  try {
    await work(disk);
  } finally {
    execFileSync('umount', [disk]);
  }
}

for (const compression of ['zstd', 'gzip', 'none'] as const) {
  test(`${compression}: a full disk is named, the dump ends well, and nothing stays on the disk`, async () => {
    await withPlace(async (place) => {
      await withFullDisk(place, async (disk) => {
        const path = join(disk, 'a.tar');
        const error = await failPages(place, { target: { path }, compression });
        assert.equal(error.code, 'NO_SPACE');
        assert.ok(error.message.includes(path), error.message);
        assert.match(error.message, /full after \d{7} bytes/);
        assert.deepEqual(await readdir(disk), []);
      });
    });
  });
}

test('small members find the disk full too', async () => {
  await withPlace(async (place) => {
    await withFullDisk(place, async (disk) => {
      const target = { path: join(disk, 'a.tar') };
      const writer = await openArchiveWriter({ target, compression: 'none', scratch: place.scratch });
      await assert.rejects(writer.addContent('a', Buffer.alloc(5_000_000)), (error) =>
        isCryopodError(error, 'NO_SPACE'),
      );
      await writer.discard();
      assert.deepEqual(await readdir(disk), []);
    });
  });
});

test('a pipe whose scratch directory is full is told so', async () => {
  await withPlace(async (place) => {
    await withFullDisk(place, async (disk) => {
      const target = { path: '/dev/null' };
      const error = await failPages(place, { target, compression: 'zstd', scratch: disk });
      assert.equal(error.code, 'NO_SPACE');
      assert.ok(error.message.includes(disk), error.message);
      assert.deepEqual(await readdir(disk), []);
    });
  });
});

test('a device without space is named', async () => {
  await withPlace(async (place) => {
    const error = await failPages(place, { target: { path: '/dev/full' }, compression: 'zstd' });
    assert.equal(error.code, 'NO_SPACE');
    assert.match(error.message, /\/dev\/full/);
  });
});

test('a reader that ends early is told of', async () => {
  await withPlace(async (place) => {
    const pipe = await makePipe();
    closeSync(pipe.read);
    const error = await failPages(place, { target: { fd: pipe.write }, compression: 'zstd' });
    assert.equal(error.code, 'ARCHIVE_FAILED');
    assert.match(error.message, /its reader has ended/);
    closeSync(pipe.write);
  });
});

for (const compression of ['zstd', 'none'] as const) {
  test(`${compression}: an interruption in the middle lets the dump end and leaves nothing`, async () => {
    await withPlace(async (place) => {
      const abort = new AbortController();
      const error = await failPages(place, {
        target: { path: join(place.out, 'a.tar') },
        compression,
        signal: abort.signal,
        progress: () => abort.abort(),
      });
      assert.equal(error.code, 'INTERRUPTED');
      assert.deepEqual(await readdir(place.out), []);
    });
  });
}

test('a FIFO that nobody reads can be waited for and given up', async () => {
  await withPlace(async (place) => {
    const path = join(place.directory, 'fifo');
    await shell('mkfifo "$1"', [path]);
    const abort = new AbortController();
    const opening = openArchiveWriter({
      target: { path },
      compression: 'zstd',
      scratch: place.scratch,
      signal: abort.signal,
    });
    setImmediate(() => abort.abort());
    await assert.rejects(opening, (error) => isCryopodError(error, 'INTERRUPTED'));
  });
});

test('a compressor that is killed is reported, and the dump ends well', async () => {
  await withPlace(async (place) => {
    let killed = false;
    const error = await failPages(place, {
      target: { path: join(place.out, 'a.tar') },
      compression: 'zstd',
      progress: () => {
        if (!killed) execFileSync('pkill', ['-KILL', '-P', String(process.pid), '-x', 'zstd']);
        killed = true;
      },
    });
    assert.equal(error.code, 'PROGRAM_FAILED');
    assert.match(error.message, /zstd failed \(killed by SIGKILL\)/);
    assert.deepEqual(await readdir(place.out), []);
  });
});

test('a producer of a stream fails when the archive cannot be written, and its own failure is told otherwise', async () => {
  await withPlace(async (place) => {
    await withFullDisk(place, async (disk) => {
      const target = { path: join(disk, 'a.tar') };
      const full = await openArchiveWriter({ target, compression: 'none', scratch: place.scratch });
      let status: number | null = 0;
      const adding = full.addStream('a', async (fd) => {
        status = await shell('cat /dev/zero', [], fd);
      });
      await assert.rejects(adding, (error) => isCryopodError(error, 'NO_SPACE'));
      assert.notEqual(status, 0);
      await full.discard();
    });
    const target = { path: join(place.out, 'a.tar') };
    const writer = await openArchiveWriter({ target, compression: 'none', scratch: place.scratch });
    const failing = writer.addStream('a', async () => {
      throw new Error('tar failed');
    });
    await assert.rejects(failing, /^Error: tar failed$/);
    await writer.discard();
  });
});
