import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { blobPath, digestOf } from '../../src/image/blobs.ts';
import { deleteUnusedFiles } from '../../src/image/delete.ts';
import { importImage } from '../../src/image/import.ts';
import { findLayer } from '../../src/image/layers.ts';
import { loadImages } from '../../src/image/load.ts';
import { pullImage } from '../../src/image/pull.ts';
import { pushImage } from '../../src/image/push.ts';
import { type SaveFormat, saveImages } from '../../src/image/save.ts';
import { isCryopodError } from '../../src/model/errors.ts';
import type { Image } from '../../src/model/image.ts';
import { blobsDirectory, layersDirectory, stagingDirectory } from '../../src/system/store-paths.ts';
import { busyboxTar, podman, podmanField } from './busybox.ts';
import { filterFile, type Workplace, workplace } from './support.ts';
import { type TarEntry, tar } from './tar-builder.ts';

const makeImage = async (place: Workplace, name = 'app', motd = 'hello'): Promise<Image> =>
  importImage(place.store, { path: await busyboxTar(place, motd) }, { name, changes: ['CMD ["sh"]'] });

const staging = (place: Workplace): string[] => readdirSync(stagingDirectory(place.store));

for (const format of ['docker-archive', 'oci-archive'] as const) {
  test(`podman loads a ${format} of ours with the same ID and name, and we load podman's`, async (t) => {
    const ours = workplace(t);
    const image = await makeImage(ours);
    const archive = join(ours.directory, 'ours.tar');
    await saveImages(ours.store, [{ image, names: image.names }], { path: archive }, { format });
    await podman(ours, 'load', '-i', archive);
    assert.equal(await podmanField(ours, 'localhost/app:latest', 'Id'), image.id);
    assert.equal(await podmanField(ours, 'localhost/app:latest', 'Config.Cmd'), '[sh]');

    const theirs = join(ours.directory, 'theirs.tar');
    await podman(ours, 'import', '-c', 'ENV WHO=podman', await busyboxTar(ours, 'theirs'), 'made');
    await podman(ours, 'save', '--format', format, '-o', theirs, 'made');
    const loaded = await loadImages(ours.store, { path: theirs });
    assert.deepEqual(
      loaded.map(({ id, names }) => ({ id, names })),
      [{ id: await podmanField(ours, 'made', 'Id'), names: ['localhost/made:latest'] }],
    );
    assert.deepEqual(staging(ours), []);
  });
}

test('an archive of several images keeps them all with all their names', async (t) => {
  const place = workplace(t);
  const first = await makeImage(place);
  const second = await makeImage(place, 'other', 'second');
  const archive = join(place.directory, 'both.tar');
  const items = [
    { image: first, names: ['localhost/app:latest', 'localhost/app:v1'] },
    { image: second, names: ['localhost/other:latest'] },
  ];
  await saveImages(place.store, items, { path: archive }, { format: 'docker-archive' });
  const fresh = workplace(t);
  const loaded = await loadImages(fresh.store, { path: archive });
  assert.deepEqual(
    loaded.map(({ id, names }) => [id, names]),
    items.map(({ image, names }) => [image.id, names]),
  );
  await podman(fresh, 'load', '-i', archive);
  assert.equal(await podmanField(fresh, 'localhost/app:v1', 'Id'), first.id);
  assert.equal(await podmanField(fresh, 'localhost/other', 'Id'), second.id);
  const wanted = await pullImage(workplace(t).store, `docker-archive:${archive}:localhost/other:latest`);
  assert.equal(wanted.id, second.id);
  const both = saveImages(place.store, items, { path: archive }, { format: 'oci-archive' });
  await assert.rejects(both, (error) => isCryopodError(error, 'USAGE'));
});

test('the same image gives the same docker-archive each time, to a file or to a pipe', async (t) => {
  const place = workplace(t);
  const image = await makeImage(place);
  const items = [{ image, names: image.names }];
  const path = join(place.directory, 'a:b.tar');
  await saveImages(place.store, items, { path }, { format: 'docker-archive' });
  const other = await open(join(place.directory, 'second.tar'), 'wx');
  try {
    await saveImages(place.store, items, { fd: other.fd }, { format: 'docker-archive' });
  } finally {
    await other.close();
  }
  assert.ok(readFileSync(path).equals(readFileSync(join(place.directory, 'second.tar'))));
  assert.equal(statSync(path).mode & 0o777, 0o644);
});

for (const program of ['gzip', 'zstd', 'bzip2']) {
  for (const format of ['docker-archive', 'oci-archive'] as const) {
    test(`a ${format} compressed by ${program} is loaded from standard input`, async (t) => {
      const place = workplace(t);
      const image = await makeImage(place);
      const plain = join(place.directory, 'plain.tar');
      await saveImages(place.store, [{ image, names: image.names }], { path: plain }, { format });
      const packed = join(place.directory, 'packed');
      await filterFile([program, '-c', '--'], plain, packed);
      const input = await open(packed);
      t.after(() => input.close());
      const [loaded] = await loadImages(workplace(t).store, { fd: input.fd });
      assert.equal(loaded?.id, image.id);
      assert.equal(loaded.size, image.size);
    });
  }
}

for (const format of ['docker-dir', 'oci-dir'] satisfies SaveFormat[]) {
  test(`an image saved as ${format} is loaded from there`, async (t) => {
    const place = workplace(t);
    const image = await makeImage(place);
    const path = join(place.directory, 'out');
    await saveImages(place.store, [{ image, names: image.names }], { path }, { format, compress: true });
    const [loaded] = await loadImages(workplace(t).store, { path });
    assert.equal(loaded?.id, image.id);
    assert.deepEqual(loaded.names, format === 'oci-dir' ? image.names : []);
    assert.ok(readdirSync(path).length > 0, 'the directory is left as it was');
    assert.equal((await loadImages(workplace(t).store, { path })).length, 1);
  });
}

test('an image whose layer is compressed comes back from every format', async (t) => {
  const place = workplace(t);
  const packed = join(place.directory, 'packed.tar.gz');
  await filterFile(['gzip', '-c', '--'], await busyboxTar(place), packed);
  const image = await importImage(place.store, { path: packed }, { name: 'packed' });
  for (const format of ['docker-archive', 'oci-archive'] as const) {
    const path = join(place.directory, format);
    await saveImages(place.store, [{ image, names: image.names }], { path }, { format });
    const [loaded] = await loadImages(workplace(t).store, { path });
    assert.equal(loaded?.id, image.id);
    assert.deepEqual(loaded.layers, image.layers);
  }
});

test('push writes archives and directories too, and pull reads them', async (t) => {
  const place = workplace(t);
  const image = await makeImage(place);
  for (const transport of ['docker-archive', 'oci-archive', 'oci', 'dir']) {
    const path = join(place.directory, `pushed-${transport}`);
    const name = transport === 'dir' ? '' : ':localhost/app:latest';
    assert.match(await pushImage(place.store, image, `${transport}:${path}${name}`), /^sha256:[0-9a-f]{64}$/);
    assert.equal((await pullImage(workplace(t).store, `${transport}:${path}${name}`)).id, image.id);
  }
});

const layout = (entries: readonly TarEntry[]): Buffer =>
  tar({ name: 'oci-layout', content: '{}' }, ...entries);

test('an oci-archive cannot lead to files of the host through links', async (t) => {
  const place = workplace(t);
  await makeImage(place);
  const archive = place.file(
    'evil.tar',
    layout([
      { name: 'index.json', content: '{"schemaVersion":2,"manifests":[]}' },
      { name: 'blobs', type: '2', link: join(place.store.root, 'blobs') },
    ]),
  );
  const before = readdirSync(blobsDirectory(place.store)).sort();
  await assert.rejects(
    loadImages(place.store, { path: archive }),
    (error) => isCryopodError(error, 'IMAGE_INVALID') && /other than files/.test(error.message),
  );
  assert.deepEqual(readdirSync(blobsDirectory(place.store)).sort(), before);
  const directory = join(place.directory, 'layout');
  await mkdir(join(directory, 'blobs/sha256'), { recursive: true });
  writeFileSync(
    join(directory, 'index.json'),
    `{"schemaVersion":2,"manifests":[{"digest":"sha256:${'a'.repeat(64)}","size":1}]}`,
  );
  symlinkSync('/etc/passwd', join(directory, 'blobs/sha256', 'a'.repeat(64)));
  await assert.rejects(loadImages(place.store, { path: directory }), (e) =>
    isCryopodError(e, 'IMAGE_INVALID'),
  );
});

test('an archive that lacks a blob, or has another in its place, is refused', async (t) => {
  const place = workplace(t);
  const image = await makeImage(place);
  const path = join(place.directory, 'oci');
  await saveImages(place.store, [{ image, names: [] }], { path }, { format: 'oci-dir' });
  const blobs = join(path, 'blobs/sha256');
  const config = join(blobs, image.id);
  const right = readFileSync(config, 'utf8');
  writeFileSync(config, right.replace('"sh"', '"xx"'));
  const damaged = loadImages(workplace(t).store, { path });
  await assert.rejects(
    damaged,
    (error) => isCryopodError(error, 'IMAGE_INVALID') && /config/.test(error.message),
  );
  writeFileSync(config, right);
  const layer = readdirSync(blobs).find((name) => statSync(join(blobs, name)).size > 10_000) ?? '';
  const content = readFileSync(join(blobs, layer));
  content[content.length >> 1] = (content[content.length >> 1] ?? 0) ^ 1;
  writeFileSync(join(blobs, layer), content);
  const changed = loadImages(workplace(t).store, { path });
  await assert.rejects(
    changed,
    (error) => isCryopodError(error, 'IMAGE_INVALID') && /damaged/.test(error.message),
  );
  await rm(join(blobs, layer));
  const lacking = loadImages(workplace(t).store, { path });
  await assert.rejects(
    lacking,
    (error) => isCryopodError(error, 'IMAGE_INVALID') && /lacks/.test(error.message),
  );
});

test('an archive of something else is refused with a hint', async (t) => {
  const place = workplace(t);
  await assert.rejects(
    loadImages(place.store, { path: await busyboxTar(place) }),
    (error) => isCryopodError(error, 'IMAGE_INVALID') && /cryopod import/.test(error.hint ?? ''),
  );
  await assert.rejects(loadImages(place.store, { path: place.file('garbage', 'garbage') }), (error) =>
    isCryopodError(error, 'IMAGE_INVALID'),
  );
  assert.deepEqual(staging(place), []);
});

test('an index leads to the image for the wanted platform', async (t) => {
  const place = workplace(t);
  const path = join(place.directory, 'multi');
  mkdirSync(path);
  const entries: object[] = [];
  const ids: string[] = [];
  for (const architecture of ['amd64', 's390x']) {
    const archive = await busyboxTar(place, architecture);
    const image = await importImage(
      place.store,
      { path: archive },
      { platform: { os: 'linux', architecture } },
    );
    await saveImages(
      place.store,
      [{ image, names: [`localhost/x:${architecture}`] }],
      { path },
      { format: 'oci-dir' },
    );
    ids.push(image.id);
  }
  const index = JSON.parse(readFileSync(join(path, 'index.json'), 'utf8'));
  for (const [at, { digest, size }] of index.manifests.entries()) {
    entries.push({ digest, size, platform: { os: 'linux', architecture: ['amd64', 's390x'][at] } });
  }
  const list = JSON.stringify({ schemaVersion: 2, manifests: entries });
  const digest = digestOf(list);
  writeFileSync(join(path, 'blobs/sha256', digest.slice(7)), list);
  const top = { schemaVersion: 2, manifests: [{ digest, size: list.length }] };
  writeFileSync(join(path, 'index.json'), JSON.stringify(top));
  for (const [at, architecture] of ['amd64', 's390x'].entries()) {
    const [image] = await loadImages(
      workplace(t).store,
      { path },
      { platform: { os: 'linux', architecture } },
    );
    assert.equal(image?.id, ids[at]);
  }
});

test('only files that neither an image nor a container needs are deleted', async (t) => {
  const place = workplace(t);
  const kept = await makeImage(place, 'kept', 'kept');
  const gone = await makeImage(place, 'gone', 'gone');
  const used = await makeImage(place, 'used', 'used');
  await mkdir(join(layersDirectory(place.store), '.tmp-left', 'diff'), { recursive: true });
  await mkdir(join(stagingDirectory(place.store), 'image-left'), { recursive: true });
  await mkdir(join(stagingDirectory(place.store), 'of-others'), { recursive: true });
  for (let round = 0; round < 2; round += 1)
    await deleteUnusedFiles(place.store, { images: [kept], layers: used.layers });
  const left = new Set(readdirSync(layersDirectory(place.store)));
  assert.deepEqual(left, new Set([...kept.layers, ...used.layers]));
  assert.equal(readdirSync(blobsDirectory(place.store)).length, 3);
  assert.equal(await findLayer(place.store, gone.layers[0] ?? ''), undefined);
  assert.deepEqual(staging(place), ['of-others']);
  const archive = join(place.directory, 'kept.tar');
  await saveImages(
    place.store,
    [{ image: kept, names: [] }],
    { path: archive },
    { format: 'docker-archive' },
  );
  await assert.rejects(
    saveImages(place.store, [{ image: gone, names: [] }], { path: archive }, { format: 'docker-archive' }),
    (error) => isCryopodError(error, 'IMAGE_FAILED') && error.message.includes(gone.digest),
  );
  assert.ok(statSync(blobPath(place.store, kept.digest)).size > 0);
});

test('a failed save leaves the old file alone and nothing beside it', async (t) => {
  const place = workplace(t);
  const image = await makeImage(place);
  const out = join(place.directory, 'out');
  await mkdir(out);
  writeFileSync(join(out, 'a.tar'), 'old');
  const broken = { ...image, id: 'f'.repeat(64) };
  await assert.rejects(
    saveImages(
      place.store,
      [{ image: broken, names: [] }],
      { path: join(out, 'a.tar') },
      { format: 'docker-archive' },
    ),
  );
  assert.deepEqual(readdirSync(out), ['a.tar']);
  assert.equal(readFileSync(join(out, 'a.tar'), 'utf8'), 'old');
  assert.deepEqual(staging(place), []);
});
