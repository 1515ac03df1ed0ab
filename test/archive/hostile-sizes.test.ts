import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { archive, BLOCK, directory, END, header, member, pax, sumsOf } from './tar-builder.ts';
import {
  assertFails,
  filtered,
  fromProgram,
  gzip,
  inPlace,
  refused,
  runFile,
  unpack,
  zstd,
} from './unpacking.ts';

const MIB = 1 << 20;
const GIB = 1 << 30;
const config = member('config.dump', '{}');

test('a size is refused as soon as a header claims it', async () => {
  const claim = (name: string, size: number) => Buffer.concat([header({ name, size }), Buffer.alloc(BLOCK)]);
  await refused(
    claim('checkpoint/pages-1.img', 20 * GIB),
    /take 21474836480 bytes up to "checkpoint\/pages-1.img", and 1073741824 may/,
    'NO_SPACE',
  );
  await refused(claim('dump.log', 20 * GIB), /may be used/, 'NO_SPACE');
  await refused(claim('artifacts/x', 20 * GIB), /may be used/, 'NO_SPACE');
  await refused(
    archive(member('ctr.log', 'x'.repeat(600)), member('spec.dump', 'x'.repeat(600))),
    /take 1200 bytes up to "spec.dump", and 1000 may/,
    'NO_SPACE',
    { maxBytes: 1000 },
  );
  await refused(
    claim('config.dump', 16 * MIB + 1),
    /"config.dump" claims 16777217 bytes, and may have 16777216/,
  );
  await refused(claim('cryopod.sums', GIB), /"cryopod.sums" claims/);
  await refused(claim('deleted.files', 65 * MIB), /"deleted.files" claims/);
});

test('sizes that are no sizes are refused', async () => {
  const sizes: Readonly<Record<string, Buffer>> = {
    negative: Buffer.alloc(12, 0xff),
    'beyond all numbers': Buffer.concat([Buffer.from([0x80]), Buffer.alloc(11, 0xff)]),
    '2^63': Buffer.from('800000008000000000000000', 'hex'),
    'a text': Buffer.from('-1\0         '),
    hexadecimal: Buffer.from('0x10\0       '),
    empty: Buffer.alloc(12),
    'beyond octal': Buffer.from('00000000008\0'),
  };
  for (const size of Object.values(sizes)) {
    await refused(archive(header({ name: 'ctr.log', size }), Buffer.alloc(BLOCK)), /the size in a header is/);
  }
  for (const size of ['-1', '1e9', '0x10', '99999999999999999999', '', ' 1', '9007199254740993']) {
    await refused(archive(pax({ size }), member('ctr.log', 'x')), /the size in a pax header is absurd/);
  }
});

test('a file that holds no archive is refused', async () => {
  await refused(Buffer.alloc(0), /is empty/);
  await refused(END, /holds no members/);
  await refused(archive(directory('checkpoint')), /holds no members/);
  await refused(Buffer.from('x'), /cut off after 1 bytes, before its first member/);
  await refused(Buffer.alloc(100_000, 0x78), /this is no tar archive/);
  await refused(await zstd(Buffer.from('no tar')), /cut off after 6 bytes, before/);
  await refused(Buffer.from('28b52ffd', 'hex'), /cannot be decompressed/);
  await refused(Buffer.from('1f8b', 'hex'), /cannot be decompressed/);
  await refused(
    Buffer.concat([Buffer.from('28b52ffd', 'hex'), Buffer.alloc(5000, 0x78)]),
    /cannot be decompressed/,
  );
});

test('an archive that is cut off anywhere is refused', async () => {
  const contents = [
    ['config.dump', '{"a":"b"}'],
    ['checkpoint/pages-1.img', 'p'.repeat(1500)],
  ] as const;
  const parts = contents.map(([name, content]) => member(name, content));
  const whole = archive(pax({ comment: 'x' }), ...parts, sumsOf(contents));
  const end = whole.length - END.length;
  for (let length = 1; length <= end; length += length % 100 === 0 ? 1 : 99) {
    await refused(
      whole.subarray(0, length),
      new RegExp(`ends early: the archive was cut off after ${length} bytes`),
    );
  }
  for (const length of [end, BLOCK, end - BLOCK]) await refused(whole.subarray(0, length), /cut off after/);
  await refused(
    whole.subarray(0, end - 700),
    /in "checkpoint\/pages-1.img" or right after it|in "cryopod.sums"/,
  );
});

test('a compressed archive that is cut off or damaged anywhere is refused', async () => {
  const noise = await filtered(Buffer.alloc(0), ['head', '-c', '20000', '/dev/urandom']);
  const whole = archive(config, member('checkpoint/pages-1.img', noise));
  for (const [bytes, kind] of [
    [await zstd(whole), 'zstd'],
    [await gzip(whole), 'gzip'],
  ] as const) {
    for (const length of [3, 5, 9, 20, 1000, bytes.length - 5, bytes.length - 1]) {
      await refused(
        bytes.subarray(0, length),
        kind === 'zstd' && length === 3 ? /cut off after 3/ : /cannot be decompressed: ./,
      );
    }
    for (const at of [10, 2000, bytes.length - 2]) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 0xff;
      await refused(damaged, /cannot be decompressed: .|is no sound checkpoint archive/);
    }
    await refused(Buffer.concat([bytes, Buffer.from('garbage')]), /cannot be decompressed: ./);
  }
});

test('a frame that wants more memory than any archive needs is refused', async () => {
  const bytes = await zstd(archive(config), '--long=30');
  await refused(bytes, /cannot be decompressed: .*(memory|[Ww]indow)/);
  assert.deepEqual((await unpack(await zstd(archive(config), '--long=27'))).written, { 'config.dump': '{}' });
});

/** The frames of a member of zeros, whose compressed form is one small frame again and again. */
async function zeros(name: string, size: number): Promise<Buffer> {
  const piece = 64 * MIB;
  const frame = await filtered(Buffer.alloc(0), [
    'sh',
    '-c',
    `head -c ${piece} /dev/zero | zstd --compress --stdout --quiet`,
  ]);
  const parts = Array.from({ length: size / piece }, () => frame);
  return Buffer.concat([await zstd(header({ name, size })), ...parts, await zstd(END)]);
}

test('a bomb of 20 GiB in 2 MB is refused before it goes off', async () => {
  const bomb = await zeros('checkpoint/pages-1.img', 20 * GIB);
  assert.ok(bomb.length < 3 * MIB);
  let read = 0;
  await refused(bomb, /take 21474836480 bytes/, 'NO_SPACE', {
    progress: (bytes) => {
      read = bytes;
    },
  });
  assert.ok(read <= 4 * MIB, `${read} bytes were read`);
  await refused(await zeros('config.dump', GIB), /"config.dump" claims 1073741824 bytes/);
});

test('a bomb that there is room for takes no memory, and neither does a flood of members', () =>
  inPlace(async (place) => {
    const path = join(place.scratch, 'archive');
    const flood = Array.from({ length: 99_000 }, (_, at) =>
      header({ name: `${'unknown'.repeat(12)}-${at}` }),
    );
    const cases = [
      ['ok', await zeros('rootfs-diff.tar', 2 * GIB)],
      ['ok', await zstd(archive(...flood))],
      ['NO_SPACE', await zeros('checkpoint/pages-1.img', 8 * GIB)],
    ] as const;
    for (const [expected, bytes] of cases) {
      await writeFile(path, bytes);
      const program = join(import.meta.dirname, 'unpack-program.ts');
      const args = [program, path, place.directory, String(4 * GIB)];
      const { result, peak } = JSON.parse((await runFile(process.execPath, args)).stdout);
      assert.equal(result, expected);
      assert.ok(peak < 300 * MIB, `${peak} bytes of memory`);
    }
  }));

test('a stream without end is refused, and so are zeros without end', () =>
  inPlace(async (place) => {
    await assertFails(fromProgram(place, ['yes']), /no tar archive/);
    await assertFails(fromProgram(place, ['cat', '/dev/urandom']), /no tar archive|cannot be decompressed/);
    await assertFails(fromProgram(place, ['cat', '/dev/zero']), /goes on without end/);
    const path = join(place.scratch, 'archive');
    await writeFile(path, member('rootfs-diff.tar', 'x'));
    const unwanted = { wants: () => false };
    await assertFails(fromProgram(place, ['cat', path, '/dev/zero'], unwanted), /goes on without end/);
    await assertFails(fromProgram(place, ['sh', '-c', `cat ${path} && yes`], unwanted), /wrong checksum/);
  }));
