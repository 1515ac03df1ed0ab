import assert from 'node:assert/strict';
import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { digestOfFile } from '../../src/image/blobs.ts';
import { readImageConfig, readImageManifest } from '../../src/image/config.ts';
import { importImage } from '../../src/image/import.ts';
import { layerDiffDirectory } from '../../src/image/layers.ts';
import { isCryopodError } from '../../src/model/errors.ts';
import { runOk } from '../../src/system/process.ts';
import { busyboxTar } from './busybox.ts';
import { filterFile, workplace } from './support.ts';

test('an imported root file system becomes an image of one layer with the changes in its config', async (t) => {
  const place = workplace(t);
  const archive = await busyboxTar(place);
  const image = await importImage(
    place.store,
    { path: archive },
    {
      name: 'app',
      message: 'from a tar',
      changes: ['CMD ["sh"]', 'ENV A=1'],
    },
  );
  assert.deepEqual(image.names, ['localhost/app:latest']);
  assert.equal(image.layers.length, 1);
  const diff = layerDiffDirectory(place.store, image.layers[0] ?? '');
  assert.equal(readFileSync(join(diff, 'etc/motd'), 'utf8'), 'hello');
  const config = await readImageConfig(place.store, image);
  assert.deepEqual(config.config, { Cmd: ['sh'], Env: ['A=1'] });
  assert.deepEqual(config.rootfs.diff_ids, [await digestOfFile(archive)]);
  assert.equal(config.history?.[0]?.comment, 'from a tar');
  assert.ok(existsSync(archive), 'the user keeps the archive');
});

for (const { program, type } of [
  { program: 'gzip', type: 'application/vnd.oci.image.layer.v1.tar+gzip' },
  { program: 'zstd', type: 'application/vnd.oci.image.layer.v1.tar+zstd' },
  { program: 'xz', type: 'application/vnd.oci.image.layer.v1.tar' },
]) {
  test(`an archive compressed by ${program} is imported from a pipe`, async (t) => {
    const place = workplace(t);
    const packed = join(place.directory, 'packed');
    await filterFile([program, '-c', '--'], await busyboxTar(place), packed);
    const fifo = join(place.directory, 'fifo');
    await runOk(['mkfifo', fifo], 'make a FIFO');
    const writer = filterFile(['cat', '--'], packed, fifo);
    const image = await importImage(place.store, { path: fifo });
    await writer;
    const manifest = await readImageManifest(place.store, image);
    assert.equal(manifest.layers[0]?.mediaType, type);
    const config = await readImageConfig(place.store, image);
    assert.deepEqual(config.rootfs.diff_ids, [await digestOfFile(join(place.directory, 'rootfs-hello.tar'))]);
    assert.deepEqual(image.names, []);
  });
}

test('an archive is imported from an open descriptor and through a symbolic link', async (t) => {
  const place = workplace(t);
  const archive = await busyboxTar(place);
  const file = await open(archive);
  t.after(() => file.close());
  const image = await importImage(place.store, { fd: file.fd });
  const link = join(place.directory, 'link.tar');
  symlinkSync(archive, link);
  const again = await importImage(place.store, { path: link });
  assert.deepEqual(again.layers, image.layers);
});

test('what is no archive, or is not there, is refused with its name', async (t) => {
  const place = workplace(t);
  const text = place.file('text', 'x'.repeat(5000));
  await assert.rejects(importImage(place.store, { path: text }), (e) => isCryopodError(e, 'IMAGE_INVALID'));
  const missing = join(place.directory, 'missing.tar');
  await assert.rejects(
    importImage(place.store, { path: missing }),
    (error) => isCryopodError(error, 'USAGE') && error.message.includes(missing),
  );
  await assert.rejects(
    importImage(place.store, { path: place.directory }),
    (error) => isCryopodError(error, 'USAGE') && error.message.includes('directory'),
  );
});
