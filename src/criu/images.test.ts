import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isCryopodError } from '../model/errors.ts';
import { checkPageFiles } from './delta/check-page-files.ts';
import { IMAGE_MAGIC, parseImageEntries, readImageEntries, readInventory } from './images.ts';
import { readDumpStats, readRestoreStats } from './stats.ts';

const directory = mkdtempSync(join(tmpdir(), 'cryopod-images-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const word = (value: number): Buffer => {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
};
const image = (magics: readonly number[], ...entries: readonly string[]): Buffer =>
  Buffer.concat([
    ...magics.map(word),
    ...entries.flatMap((hex) => {
      const entry = Buffer.from(hex.replaceAll(' ', ''), 'hex');
      return [word(entry.length), entry];
    }),
  ]);
const put = (name: string, content: Buffer): string => {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
};

const COMMON = 0x54564319;
const SERVICE = 0x55105940;
const invalid = (error: unknown): boolean => isCryopodError(error, 'IMAGE_INVALID');

test('entries are read behind one magic word or two', () => {
  for (const magics of [[COMMON, IMAGE_MAGIC.pstree], [SERVICE, IMAGE_MAGIC.pstree], [IMAGE_MAGIC.pstree]]) {
    const parsed = parseImageEntries(image(magics, '0801', ''), 'x');
    assert.equal(parsed.magic, IMAGE_MAGIC.pstree);
    assert.deepEqual(
      parsed.entries.map((entry) => Buffer.from(entry).toString('hex')),
      ['0801', ''],
    );
  }
});

test('an image that ends early is refused at every length', () => {
  const whole = image([COMMON, IMAGE_MAGIC.pstree], '0801', '0802');
  const ends = new Set([8, 14, whole.length]);
  for (let length = 0; length <= whole.length; length += 1) {
    const parse = (): unknown => parseImageEntries(whole.subarray(0, length), 'x');
    if (ends.has(length)) parse();
    else assert.throws(parse, invalid);
  }
});

test('links and files beyond the size limit are not read', async () => {
  const path = put('big.img', image([COMMON, IMAGE_MAGIC.pstree], '0801'));
  symlinkSync(path, join(directory, 'link.img'));
  await assert.rejects(readImageEntries(join(directory, 'link.img')), { code: 'ELOOP' });
  await assert.rejects(readImageEntries(path, 4), invalid);
  await assert.rejects(readImageEntries(directory), invalid);
});

test('a directory without an inventory holds no finished dump', async () => {
  assert.equal(await readInventory(directory), undefined);
  put('inventory.img', image([IMAGE_MAGIC.inventory], '0802 5801'));
  assert.equal((await readInventory(directory))?.imgVersion, 2);
});

test('statistics of a dump and of a restore are told apart', async () => {
  const dump = put(
    'stats-dump',
    image([SERVICE, IMAGE_MAGIC.stats], '0a 15 0864 10d00f 181e 2028 2832 3005 3880a0be81f8ff0f'),
  );
  const restore = put('stats-restore', image([SERVICE, IMAGE_MAGIC.stats], '1208 1803 20a08d06 280b'));
  const stats = await readDumpStats(dump);
  assert.deepEqual([stats.freezingTime, stats.frozenTime, stats.memdumpTime], [100, 2000, 30]);
  assert.equal(stats.pagesScanned, 50);
  assert.ok(stats.pagesWritten > 2 ** 32, 'counts beyond 32 bits are kept');
  assert.deepEqual(await readRestoreStats(restore), {
    forkingTime: 3,
    restoreTime: 100000,
    pagesRestored: 11,
  });
  await assert.rejects(readDumpStats(restore), invalid);
  await assert.rejects(readRestoreStats(dump), invalid);
});

test('a pages file that is shorter than its page map is named', async () => {
  const absent = '088020 1002 2000';
  const present = '088060 1003 2004';
  const old = '0880c001 1001';
  put('pagemap-1.img', image([COMMON, IMAGE_MAGIC.pagemap], '0805', absent, present, old));
  const pages = put('pages-5.img', Buffer.alloc(4 * 4096));
  await checkPageFiles(directory);
  truncateSync(pages, 4 * 4096 - 1);
  await assert.rejects(checkPageFiles(directory), /pages-5\.img has 16383 bytes and must have 16384/);
  rmSync(pages);
  await assert.rejects(checkPageFiles(directory), /pages-5\.img has 0 bytes/);
});
