import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildImage } from '../../src/image/build.ts';
import { readImageConfig } from '../../src/image/config.ts';
import { deleteUnusedFiles } from '../../src/image/delete.ts';
import { importImage } from '../../src/image/import.ts';
import { chainIds, layerDiffDirectory } from '../../src/image/layers.ts';
import { loadImages } from '../../src/image/load.ts';
import { saveImages } from '../../src/image/save.ts';
import type { Image } from '../../src/model/image.ts';
import { run, runOk } from '../../src/system/process.ts';
import { blobsDirectory, layersDirectory, stagingDirectory } from '../../src/system/store-paths.ts';
import { busyboxTar, podman, podmanField } from './busybox.ts';
import { type Workplace, workplace } from './support.ts';
import { tar } from './tar-builder.ts';

/** Shows an image's layers as a container would see them, while `look` runs. */
async function withRootfs(place: Workplace, image: Image, look: (merged: string) => void): Promise<void> {
  const lower = image.layers.map((id) => layerDiffDirectory(place.store, id)).toReversed();
  const merged = join(place.directory, 'merged');
  const empty = join(place.directory, 'empty');
  await mkdir(merged);
  await mkdir(empty);
  const stack = [...lower, empty].join(':');
  await runOk(['mount', '-t', 'overlay', '-o', `lowerdir=${stack}`, 'overlay', merged], 'mount');
  try {
    look(merged);
  } finally {
    await runOk(['umount', merged], 'unmount');
  }
}

test('an image that podman committed with deleted files shows the same files here', async (t) => {
  const place = workplace(t);
  await podman(place, 'import', await busyboxTar(place), 'base');
  const id = (await podman(place, 'create', 'base', 'sh')).trim();
  const root = (await podman(place, 'mount', id)).trim();
  await rm(join(root, 'etc'), { recursive: true });
  await runOk(['sh', '-c', 'echo new > "$1"; chmod 4711 "$1"', 'sh', join(root, 'added')], 'change files');
  await podman(place, 'umount', id);
  await podman(place, 'commit', id, 'changed');
  const archive = join(place.directory, 'changed.tar');
  await podman(place, 'save', '-o', archive, 'changed');
  const [image] = await loadImages(place.store, { path: archive });
  assert.ok(image !== undefined);
  assert.equal(image.id, await podmanField(place, 'changed', 'Id'));
  assert.equal(image.layers.length, 2);
  const { rootfs } = await readImageConfig(place.store, image);
  assert.deepEqual(image.layers, chainIds(rootfs.diff_ids));
  await withRootfs(place, image, (merged) => {
    assert.equal(existsSync(join(merged, 'etc')), false);
    assert.equal(existsSync(join(merged, 'bin/busybox')), true);
    assert.equal(readFileSync(join(merged, 'added'), 'utf8'), 'new\n');
  });
});

test('an image built from two layers has its annotations and is read by podman', async (t) => {
  const place = workplace(t);
  const base = await busyboxTar(place);
  const top = place.file('top.tar', tar({ name: 'top', content: 'x' }, { name: 'etc/.wh.motd' }));
  const image = await buildImage(place.store, {
    layers: [
      { path: base, move: false },
      { path: top, move: false },
    ],
    config: (layers) => ({
      architecture: 'amd64',
      os: 'linux',
      created: '2024-01-01T00:00:00Z',
      history: layers.map((layer) => ({ created_by: `layer ${layer.size}` })),
    }),
    annotations: { 'io.podman.annotations.checkpoint.name': 'x' },
    names: ['localhost/built:latest'],
  });
  assert.equal(image.annotations['io.podman.annotations.checkpoint.name'], 'x');
  const archive = join(place.directory, 'built.tar');
  await saveImages(
    place.store,
    [{ image, names: image.names }],
    { path: archive },
    { format: 'oci-archive' },
  );
  await podman(place, 'load', '-i', archive);
  assert.equal(await podmanField(place, 'built', 'Id'), image.id);
  assert.equal(
    await podmanField(place, 'built', 'Annotations'),
    'map[io.podman.annotations.checkpoint.name:x]',
  );
  const [again] = await loadImages(workplace(t).store, { path: archive });
  assert.deepEqual(again?.annotations, image.annotations);
});

for (const fault of ['durable.before-rename:kill', 'durable.after-rename:kill']) {
  test(`an import killed at ${fault} leaves a store that works and can be tidied`, async (t) => {
    const place = workplace(t);
    const archive = await busyboxTar(place);
    const child = join(import.meta.dirname, 'import-child.ts');
    const killed = await run([process.execPath, child, place.store.root, archive], {
      env: { CRYOPOD_FAULT: fault },
    });
    assert.equal(killed.signal, 'SIGKILL');
    const image = await importImage(place.store, { path: archive });
    await deleteUnusedFiles(place.store, { images: [image], layers: [] });
    assert.deepEqual(readdirSync(layersDirectory(place.store)), image.layers);
    assert.equal(readdirSync(blobsDirectory(place.store)).length, 3);
    assert.deepEqual(readdirSync(stagingDirectory(place.store)), []);
  });
}
