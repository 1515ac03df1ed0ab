import assert from 'node:assert/strict';
import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { digestOf, digestOfFile, hasBlob, putBlobFile } from '../../src/image/blobs.ts';
import { chainIds, findLayer, layerDiffDirectory, unpackLayer } from '../../src/image/layers.ts';
import { isCryopodError } from '../../src/model/errors.ts';
import { runOk } from '../../src/system/process.ts';
import { layersDirectory } from '../../src/system/store-paths.ts';
import { filterFile, putBytes, type Workplace, workplace } from './support.ts';
import { TAR_TIME, type TarEntry, tar } from './tar-builder.ts';

async function unpack(place: Workplace, ...entries: readonly TarEntry[]): Promise<string> {
  const content = tar(...entries);
  const blob = await putBytes(place, content);
  const layer = await unpackLayer(place.store, { blob, parent: undefined, diffId: digestOf(content) });
  return layerDiffDirectory(place.store, layer.chainId);
}

const mode = (path: string): number => lstatSync(path).mode & 0o7777;

/** What GNU tar would store about a directory, extended attributes as `SCHILY.xattr.NAME=VALUE` among it. */
const attributes = (directory: string): Promise<string> =>
  runOk(
    ['tar', '--xattrs', '--xattrs-include=*', '-C', directory, '--no-recursion', '-cf', '-', '.'],
    'read attributes',
  );

const leftovers = (place: Workplace): string[] =>
  readdirSync(layersDirectory(place.store)).filter((name) => name.startsWith('.'));

test('owners, modes, times, links, devices and FIFOs are restored', async (t) => {
  const diff = await unpack(
    workplace(t),
    { name: './', type: '5', mode: 0o711, uid: 7, gid: 8 },
    { name: 'etc/', type: '5', mode: 0o2750, uid: 1000, gid: 1001 },
    { name: 'etc/su', content: 'x', mode: 0o4755, uid: 5 },
    { name: 'etc/hard', type: '1', link: 'etc/su' },
    { name: 'etc/soft', type: '2', link: 'su' },
    { name: 'etc/absolute', type: '2', link: '/etc/passwd' },
    { name: 'etc/up', type: '2', link: '../../../x' },
    { name: 'dev/null', type: '3', device: [1, 3], mode: 0o666 },
    { name: 'fifo', type: '6', mode: 0o600 },
  );
  assert.deepEqual([mode(diff), statSync(diff).uid, statSync(diff).gid], [0o711, 7, 8]);
  assert.equal(mode(join(diff, 'etc')), 0o2750);
  assert.equal(statSync(join(diff, 'etc')).gid, 1001);
  assert.equal(mode(join(diff, 'etc/su')), 0o4755);
  assert.equal(statSync(join(diff, 'etc/su')).uid, 5);
  assert.equal(statSync(join(diff, 'etc/hard')).ino, statSync(join(diff, 'etc/su')).ino);
  assert.equal(readlinkSync(join(diff, 'etc/soft')), 'su');
  assert.equal(readlinkSync(join(diff, 'etc/absolute')), '/etc/passwd');
  assert.equal(readlinkSync(join(diff, 'etc/up')), '../../../x');
  assert.equal(statSync(join(diff, 'etc')).mtimeMs, TAR_TIME * 1000);
  assert.equal(mode(join(diff, 'dev')), 0o755);
  const device = statSync(join(diff, 'dev/null'));
  assert.ok(device.isCharacterDevice());
  assert.equal(device.rdev, 0x103);
  assert.ok(lstatSync(join(diff, 'fifo')).isFIFO());
});

test('file capabilities and user attributes survive a layer, those of overlayfs do not', async (t) => {
  const place = workplace(t);
  const source = join(place.directory, 'source');
  await mkdir(source);
  await writeFile(join(source, 'ping'), 'x', { mode: 0o755 });
  await runOk(['setcap', 'cap_net_raw+ep', join(source, 'ping')], 'set a capability');
  await runOk(['chown', '12:34', source], 'chown');
  const archive = join(place.directory, 'layer.tar');
  await runOk(['tar', '--xattrs', '--xattrs-include=*', '-C', source, '-cf', archive, '.'], 'make a layer');
  const blob = await digestOfFile(archive);
  await putBlobFile(place.store, blob, archive, { move: false, verified: false });
  const layer = await unpackLayer(place.store, { blob, parent: undefined, diffId: undefined });
  const ping = join(layerDiffDirectory(place.store, layer.chainId), 'ping');
  assert.match(await runOk(['getcap', ping], 'get capabilities'), /cap_net_raw/);

  const diff = await unpack(place, {
    name: 'd/',
    type: '5',
    xattrs: { 'user.kept': 'yes', 'trusted.overlay.opaque': 'y', 'trusted.overlay.redirect': '/etc' },
  });
  const stored = await attributes(join(diff, 'd'));
  assert.match(stored, /xattr\.user\.kept=yes/);
  assert.doesNotMatch(stored, /trusted\.overlay/);
});

test('a sparse file stays sparse', async (t) => {
  const place = workplace(t);
  await runOk(['truncate', '-s', '64M', join(place.directory, 'hole')], 'make a sparse file');
  const archive = join(place.directory, 'layer.tar');
  await runOk(['tar', '-S', '-C', place.directory, '-cf', archive, 'hole'], 'make a layer');
  const blob = await digestOfFile(archive);
  await putBlobFile(place.store, blob, archive, { move: false, verified: false });
  const layer = await unpackLayer(place.store, { blob, parent: undefined, diffId: undefined });
  const hole = statSync(join(layerDiffDirectory(place.store, layer.chainId), 'hole'));
  assert.equal(hole.size, 64 << 20);
  assert.ok(hole.blocks < 1000);
});

for (const { program, flags } of [
  { program: 'gzip', flags: ['-c'] },
  { program: 'zstd', flags: ['-c'] },
  { program: 'cat', flags: [] },
]) {
  test(`a layer that went through ${program} is told by its first bytes and its content is checked`, async (t) => {
    const place = workplace(t);
    const content = tar({ name: 'f', content: 'hello' });
    const packed = join(place.directory, 'packed');
    await filterFile([program, ...flags, '--'], place.file('plain', content), packed);
    const blob = await digestOfFile(packed);
    await putBlobFile(place.store, blob, packed, { move: true, verified: false });
    const layer = await unpackLayer(place.store, { blob, parent: undefined, diffId: digestOf(content) });
    assert.equal(layer.size, content.length);
    assert.deepEqual(await findLayer(place.store, layer.chainId), layer);
    assert.equal(readFileSync(join(layerDiffDirectory(place.store, layer.chainId), 'f'), 'utf8'), 'hello');
    const wrong = unpackLayer(place.store, { blob, parent: undefined, diffId: digestOf('other') });
    await assert.rejects(
      wrong,
      (error) => isCryopodError(error, 'IMAGE_INVALID') && /config says/.test(error.message),
    );
    assert.deepEqual(leftovers(place), []);
  });
}

test('whiteouts become those of overlayfs, seen through a mount', async (t) => {
  const place = workplace(t);
  const lower = await unpack(
    place,
    { name: 'gone', content: '1' },
    { name: 'kept', content: '1' },
    { name: 'd/', type: '5' },
    { name: 'd/old', content: '1' },
    { name: 'replaced/', type: '5' },
    { name: 'replaced/old', content: '1' },
    { name: 'file', content: 'old' },
  );
  const upper = await unpack(
    place,
    { name: '.wh.gone' },
    { name: '.wh..wh.aufs' },
    { name: 'd/', type: '5' },
    { name: 'd/new', content: '2' },
    { name: 'd/.wh..wh..opq' },
    { name: 'replaced/', type: '5' },
    { name: 'replaced/new', content: '2' },
    { name: '.wh.replaced' },
    { name: 'file', content: 'new' },
    { name: '.wh.file' },
  );
  assert.equal(statSync(join(upper, 'd')).mtimeMs, TAR_TIME * 1000);
  const merged = join(place.directory, 'merged');
  await mkdir(merged);
  await runOk(['mount', '-t', 'overlay', '-o', `lowerdir=${upper}:${lower}`, 'overlay', merged], 'mount');
  try {
    assert.deepEqual(readdirSync(merged).sort(), ['d', 'file', 'kept', 'replaced']);
    assert.deepEqual(readdirSync(join(merged, 'd')), ['new']);
    assert.deepEqual(readdirSync(join(merged, 'replaced')), ['new']);
    assert.equal(readFileSync(join(merged, 'file'), 'utf8'), 'new');
  } finally {
    await runOk(['umount', merged], 'unmount');
  }
});

test('a layer without an entry for / has the owner and mode of the layer below', async (t) => {
  const place = workplace(t);
  const lower = tar({ name: './', type: '5', mode: 0o700, uid: 3, gid: 4 });
  const upper = tar({ name: 'f', content: '' });
  const first = await unpackLayer(place.store, {
    blob: await putBytes(place, lower),
    parent: undefined,
    diffId: digestOf(lower),
  });
  const second = await unpackLayer(place.store, {
    blob: await putBytes(place, upper),
    parent: first.chainId,
    diffId: digestOf(upper),
  });
  assert.deepEqual(chainIds([digestOf(lower), digestOf(upper)]), [first.chainId, second.chainId]);
  const root = statSync(layerDiffDirectory(place.store, second.chainId));
  assert.deepEqual([root.mode & 0o7777, root.uid, root.gid], [0o700, 3, 4]);
});

test('the umask of the caller does not change directories that the layer leaves out', async (t) => {
  const old = process.umask(0o077);
  t.after(() => process.umask(old));
  const diff = await unpack(workplace(t), { name: 'a/b/c', content: '' });
  assert.equal(mode(join(diff, 'a/b')), 0o755);
  assert.equal(process.umask(), 0o077);
});

/** Each writes `evil` next to the layer's directory, or into /, unless it is stopped. */
const HOSTILE: Readonly<Record<string, readonly TarEntry[]>> = {
  'an absolute name': [{ name: '/ABS/evil', content: 'x' }],
  'a name with ..': [{ name: '../evil', content: 'x' }],
  'a name with .. in the middle': [{ name: 'a/../../evil', content: 'x' }],
  'a file through an absolute link': [
    { name: 'l', type: '2', link: '/ABS' },
    { name: 'l/evil', content: 'x' },
  ],
  'a file through a relative link': [
    { name: 'l', type: '2', link: '..' },
    { name: 'l/evil', content: 'x' },
  ],
  'a file through two links': [
    { name: 'd/', type: '5' },
    { name: 'd/l', type: '2', link: '../..' },
    { name: 'm', type: '2', link: 'd/l' },
    { name: 'm/evil', content: 'x' },
  ],
  'a link in the place of a directory that was there': [
    { name: 'd/', type: '5' },
    { name: 'd', type: '2', link: '/ABS' },
    { name: 'd/evil', content: 'x' },
  ],
  'a hard link to a file outside': [{ name: 'h', type: '1', link: '/ABS/victim' }],
  'a hard link with .. and a write to it': [
    { name: 'h', type: '1', link: '../../../../../../ABS/victim' },
    { name: 'h', content: 'x' },
  ],
  'a write through a link to a file outside': [
    { name: 'v', type: '2', link: '/ABS/victim' },
    { name: 'v', content: 'x' },
  ],
  'a directory whose mode is set through a link': [
    { name: 'l', type: '2', link: '/ABS' },
    { name: 'l/', type: '5', mode: 0o777 },
  ],
  'a whiteout of the parent directory': [{ name: '.wh...' }],
  'a whiteout through a link': [{ name: 'l', type: '2', link: '/ABS' }, { name: 'l/.wh.victim' }],
  'an opaque marker through a link': [{ name: 'l', type: '2', link: '/ABS' }, { name: 'l/.wh..wh..opq' }],
};

for (const [what, entries] of Object.entries(HOSTILE)) {
  test(`a hostile layer cannot write outside: ${what}`, async (t) => {
    const place = workplace(t);
    const outside = join(place.directory, 'o');
    await mkdir(outside, { mode: 0o700 });
    const victim = join(outside, 'victim');
    await writeFile(victim, 'untouched', { mode: 0o600 });
    await chmod(outside, 0o700);
    const real = entries.map((entry) => ({
      ...entry,
      name: entry.name.replace('/ABS', outside),
      ...(entry.link === undefined ? {} : { link: entry.link.replace('/ABS', outside) }),
    }));
    const result = await unpack(place, ...real).then(
      (diff) => diff,
      (error: unknown) => error,
    );
    // Either the layer is refused, or what it wrote lies inside.
    if (typeof result !== 'string') assert.ok(isCryopodError(result, 'IMAGE_INVALID'), String(result));
    assert.equal(readFileSync(victim, 'utf8'), 'untouched');
    assert.equal(statSync(victim).nlink, 1);
    assert.equal(mode(outside), 0o700);
    assert.deepEqual(readdirSync(outside), ['victim']);
    const found = await runOk(
      ['find', place.directory, '-name', 'evil', '-not', '-path', '*/diff/*'],
      'look',
    );
    assert.equal(found, '');
    assert.deepEqual(leftovers(place), []);
  });
}

test('a truncated or damaged layer is refused and nothing stays', async (t) => {
  const place = workplace(t);
  const packed = join(place.directory, 'packed');
  await filterFile(['gzip', '-c', '--'], place.file('plain', tar({ name: 'f', content: 'hello' })), packed);
  const blob = await putBytes(place, readFileSync(packed).subarray(0, 40));
  await assert.rejects(
    unpackLayer(place.store, { blob, parent: undefined, diffId: undefined }),
    (error) => isCryopodError(error, 'IMAGE_INVALID') && /gzip says/.test(error.message),
  );
  const text = await putBytes(place, Buffer.from('This is no tar archive. '.repeat(100)));
  await assert.rejects(
    unpackLayer(place.store, { blob: text, parent: undefined, diffId: undefined }),
    (error) => isCryopodError(error, 'IMAGE_INVALID') && /tar says/.test(error.message),
  );
  assert.deepEqual(readdirSync(layersDirectory(place.store)), []);
});

test('the same layer can be unpacked several times at once', async (t) => {
  const place = workplace(t);
  const content = tar({ name: 'f', content: 'hello' });
  const blob = await putBytes(place, content);
  const request = { blob, parent: undefined, diffId: digestOf(content) };
  const layers = await Promise.all([1, 2, 3, 4].map(() => unpackLayer(place.store, request)));
  assert.equal(new Set(layers.map((layer) => layer.chainId)).size, 1);
  assert.equal(readdirSync(layersDirectory(place.store)).length, 1);
});

test('an aborted unpacking ends its programs and leaves nothing', async (t) => {
  const place = workplace(t);
  const blob = await putBytes(place, tar({ name: 'f', content: 'hello' }));
  const signal = AbortSignal.abort();
  await assert.rejects(
    unpackLayer(place.store, { blob, parent: undefined, diffId: undefined, signal }),
    (error) => isCryopodError(error, 'INTERRUPTED'),
  );
  assert.deepEqual(readdirSync(layersDirectory(place.store)), []);
});

test('a blob with another digest than it should have is refused and does not stay', async (t) => {
  const place = workplace(t);
  const digest = digestOf('right');
  const path = place.file('wrong', 'wrong');
  await assert.rejects(putBlobFile(place.store, digest, path, { move: false, verified: false }), (error) =>
    isCryopodError(error, 'IMAGE_INVALID'),
  );
  assert.equal(await hasBlob(place.store, digest), false);
  const link = join(place.directory, 'link');
  await runOk(['ln', '-s', path, link], 'make a link');
  await assert.rejects(
    putBlobFile(place.store, digestOf('wrong'), link, { move: false, verified: false }),
    (error) => isCryopodError(error, 'IMAGE_INVALID'),
  );
});
