import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isCryopodError } from '../model/errors.ts';
import { type ImagePrivileges, readImageNeeds } from './image-needs.ts';
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

/** mnt_entry with its required fields. */
const mount = (type: number, id: number, parent: number, paths: readonly string[], more = ''): string => {
  const [root = '/', mountpoint = '/', source = 'none'] = paths;
  const numbers = [
    [1, type],
    [2, id],
    [3, 0],
    [4, parent],
    [5, 0],
  ].map(([tag = 0, value = 0]) => Buffer.from([tag * 8, value]).toString('hex'));
  return [
    ...numbers,
    field(6, text(root)),
    field(7, text(mountpoint)),
    field(8, text(source)),
    field(9, ''),
    more,
  ].join('');
};

/** thread_core_entry with sets of capabilities (one word each), seccomp mode and no_new_privs. */
const thread = (sets: readonly string[], mode: string, noNewPrivileges: string): string =>
  `0801${field(5, `${field(10, `${sets.join('')}9001${noNewPrivileges}`)}58${mode}`)}`;

/** What no process has that has no credentials. */
const NOTHING: ImagePrivileges = {
  capabilities: 0n,
  unfiltered: false,
  filters: [],
  gains: false,
  mounts: [],
  hostNamespaces: [],
  strayCgroups: [],
  networkImages: [],
};

/** inventory_entry with the number of the host's mount namespace. */
const INVENTORY = `0802${field(3, '4801')}`;

/** One filter, of these bytes. */
const FILTER = 'f0';
const SECCOMP = [IMAGE_MAGIC.seccomp, field(1, field(1, FILTER))] as const;
const FILTERS = [[Buffer.from(FILTER, 'hex')]];

test('components in use and profiles of all threads are gathered, each profile once', async () => {
  const directory = images({
    'inventory.img': [IMAGE_MAGIC.inventory, `${INVENTORY}3002`],
    'core-1.img': [IMAGE_MAGIC.core, core('02', 'box')],
    'core-8.img': [IMAGE_MAGIC.core, core('a001', 'box')],
    'core-9.img': [IMAGE_MAGIC.core, core('04', 'other')],
    'mountpoints-13.img': [IMAGE_MAGIC.mounts, mount(17, 1, 0, []), mount(12, 2, 1, ['/', '/sys/fs/cgroup'])],
    'tcp-stream-1a.img': [0],
    'tcp-stream-2.img': [0],
    'filelocks.img': [0, '0801', '0802', '0803'],
  });
  const { mounts, ...needs } = (await readImageNeeds(directory)) ?? {};
  assert.deepEqual(
    mounts?.map(({ destination }) => destination),
    ['/', '/sys/fs/cgroup'],
  );
  assert.deepEqual(needs, {
    machine: 'x86_64',
    xstate: 0xa6n,
    lsm: 'apparmor',
    profiles: ['box', 'other'],
    cgroupVersion: 1,
    connections: 2,
    locks: 3,
    privileges: { ...NOTHING, unfiltered: true, gains: true },
  });
});

test('a checkpoint without labels, cgroups or connections needs nothing of them', async () => {
  const directory = images({
    'inventory.img': [IMAGE_MAGIC.inventory, INVENTORY],
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
    privileges: NOTHING,
    mounts: [],
  });
});

test('cgroups v2 are told by their file system', async () => {
  const directory = images({
    'inventory.img': [IMAGE_MAGIC.inventory, INVENTORY],
    'mountpoints-2.img': [IMAGE_MAGIC.mounts, mount(23, 1, 0, [])],
  });
  assert.equal((await readImageNeeds(directory))?.cgroupVersion, 2);
});

test('what any thread may do is gathered: all sets of capabilities, no filter, privileges to gain', async () => {
  const privileges = async (...threads: string[]): Promise<ImagePrivileges | undefined> => {
    const cores = threads.map((entry, at) => [`core-${at + 1}.img`, [IMAGE_MAGIC.core, entry]] as const);
    const directory = images({
      'inventory.img': [IMAGE_MAGIC.inventory, INVENTORY],
      'seccomp.img': SECCOMP,
      ...Object.fromEntries(cores),
    });
    return (await readImageNeeds(directory))?.privileges;
  };
  const confined = thread(['5001', '5000', '5801', '5800'], '02', '01');
  const some = { ...NOTHING, filters: FILTERS };
  assert.deepEqual(await privileges(confined), { ...some, capabilities: 1n });
  for (const tag of ['48', '50', '58', '60', '9801']) {
    // The second word of each set holds the capabilities from 32 on.
    const found = await privileges(confined, thread([`${tag}02`, `${tag}01`], '02', '01'));
    assert.deepEqual(found, { ...some, capabilities: 1n | 2n | (1n << 32n) }, tag);
  }
  const apart = images({
    'inventory.img': [IMAGE_MAGIC.inventory, INVENTORY],
    'core-1.img': [IMAGE_MAGIC.core, '08012a025802'],
    'creds-1.img': [IMAGE_MAGIC.creds, '5004'],
  });
  assert.equal(
    (await readImageNeeds(apart))?.privileges.capabilities,
    4n,
    'credentials in an image of their own',
  );
  assert.equal((await privileges(confined, thread([], '00', '01')))?.unfiltered, true);
  assert.equal((await privileges(confined, thread([], '02', '00')))?.gains, true);
});

test("mounts that may show what is the host's are told, those of every container are not", async () => {
  const directory = images({
    'inventory.img': [IMAGE_MAGIC.inventory, INVENTORY],
    'mountpoints-2.img': [
      IMAGE_MAGIC.mounts,
      mount(17, 1, 0, ['/', '/']),
      mount(5, 2, 1, ['/', './tmp', 'tmpfs']),
      mount(0, 3, 1, ['/x', './data', '/dev/sda1'], field(18, text('/data')).replace(/^92/, '9201')),
      mount(17, 4, 1, ['/', './host', 'overlay']),
      mount(
        0,
        5,
        1,
        ['/', './disk', '/dev/sda1'],
        field(18, text('CRIU:AUTOGENERATED')).replace(/^92/, '9201'),
      ),
      mount(5, 6, 1, ['/../../etc', './etc', 'tmpfs']),
      mount(17, 7, 7, ['/', './again', 'overlay']),
    ],
  });
  const found = (await readImageNeeds(directory))?.privileges.mounts;
  assert.deepEqual(
    found?.map(({ destination }) => destination),
    ['/host', '/disk', '/etc', '/again'],
  );
});

test('a directory without a finished dump needs nothing', async () => {
  assert.equal(await readImageNeeds(join(root, 'nowhere')), undefined);
  assert.equal(await readImageNeeds(images({ 'core-1.img': [IMAGE_MAGIC.core, '0801'] })), undefined);
});

test('a damaged core image is refused', async () => {
  const directory = images({
    'inventory.img': [IMAGE_MAGIC.inventory, INVENTORY],
    'core-1.img': [IMAGE_MAGIC.core, '12ff'],
  });
  await assert.rejects(readImageNeeds(directory), (error) => isCryopodError(error, 'IMAGE_INVALID'));
});
