import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isCryopodError } from '../model/errors.ts';
import { readImageNeeds } from './image-needs.ts';
import { IMAGE_MAGIC } from './images.ts';

const root = mkdtempSync(join(tmpdir(), 'cryopod-needs-'));
after(() => rmSync(root, { recursive: true, force: true }));

const COMMON = 0x54564319;

const word = (value: number): Buffer => {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
};

/** A directory with images: names with their type and their entries in hexadecimal. */
function images(files: Readonly<Record<string, readonly [magic: number, ...entries: string[]]>>): string {
  const directory = mkdtempSync(join(root, 'images-'));
  for (const [name, [magic, ...entries]] of Object.entries(files)) {
    const parts = entries.flatMap((hex) => {
      const entry = Buffer.from(hex, 'hex');
      return [word(entry.length), entry];
    });
    writeFileSync(join(directory, name), Buffer.concat([word(COMMON), word(magic), ...parts]));
  }
  return directory;
}

/** A field with a message or a string in it, as protobuf writes it. */
const field = (id: number, content: string): string =>
  Buffer.from([id * 8 + 2, content.length / 2]).toString('hex') + content;
const text = (value: string): string => Buffer.from(value).toString('hex');

/** core_entry of a thread on x86 with these components in use (as a varint), and a profile. */
const core = (components: string, profile?: string): string =>
  `0801${field(2, field(3, field(13, `08${components}`)))}${profile === undefined ? '' : field(5, field(10, field(15, text(profile))))}`;

test('components in use and profiles of all threads are gathered, each profile once', async () => {
  const directory = images({
    'inventory.img': [IMAGE_MAGIC.inventory, '08023002'],
    'core-1.img': [IMAGE_MAGIC.core, core('02', 'box')],
    'core-8.img': [IMAGE_MAGIC.core, core('a001', 'box')],
    'core-9.img': [IMAGE_MAGIC.core, core('04', 'other')],
    'mountpoints-13.img': [IMAGE_MAGIC.mounts, '0811', '080c'],
    'tcp-stream-1a.img': [0],
    'tcp-stream-2.img': [0],
    'filelocks.img': [0, '0801', '0802', '0803'],
  });
  assert.deepEqual(await readImageNeeds(directory), {
    machine: 'x86_64',
    xstate: 0xa6n,
    lsm: 'apparmor',
    profiles: ['box', 'other'],
    cgroupVersion: 1,
    connections: 2,
    locks: 3,
  });
});

test('a checkpoint without labels, cgroups or connections needs nothing of them', async () => {
  const directory = images({
    'inventory.img': [IMAGE_MAGIC.inventory, '0802'],
    'core-1.img': [IMAGE_MAGIC.core, '0803'],
  });
  assert.deepEqual(await readImageNeeds(directory), {
    machine: 'aarch64',
    xstate: 0n,
    lsm: 'none',
    profiles: [],
    cgroupVersion: undefined,
    connections: 0,
    locks: 0,
  });
});

test('cgroups v2 are told by their file system', async () => {
  const directory = images({
    'inventory.img': [IMAGE_MAGIC.inventory, '0802'],
    'mountpoints-2.img': [IMAGE_MAGIC.mounts, '0817'],
  });
  assert.equal((await readImageNeeds(directory))?.cgroupVersion, 2);
});

test('a directory without a finished dump needs nothing', async () => {
  assert.equal(await readImageNeeds(join(root, 'nowhere')), undefined);
  assert.equal(await readImageNeeds(images({ 'core-1.img': [IMAGE_MAGIC.core, '0801'] })), undefined);
});

test('a damaged core image is refused', async () => {
  const directory = images({
    'inventory.img': [IMAGE_MAGIC.inventory, '0802'],
    'core-1.img': [IMAGE_MAGIC.core, '12ff'],
  });
  await assert.rejects(readImageNeeds(directory), (error) => isCryopodError(error, 'IMAGE_INVALID'));
});
