import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { absorbParent } from './absorb-parent.ts';
import { checkPageFiles } from './check-page-files.ts';
import { IN_PARENT, PRESENT } from './page-table.ts';
import { linkParent, putImages, scratch } from './testing.ts';
import { writeDelta } from './write-delta.ts';
import { writeWhole } from './write-whole.ts';

const invalid = { code: 'IMAGE_INVALID' };

const DAMAGES: readonly (readonly [why: string, spoil: (top: string) => void, names: RegExp])[] = [
  [
    'a range that the parent does not have',
    (top) => putImages(join(top, 'old'), [[1, 1, PRESENT]], 'a'),
    /pagemap-1\.img takes memory from \S+old\/pagemap-1\.img/,
  ],
  [
    'a range without content in the parent',
    (top) =>
      putImages(
        join(top, 'old'),
        [
          [1, 1, PRESENT],
          [2, 1, 0],
        ],
        'a',
      ),
    /pagemap-1\.img takes memory from/,
  ],
  [
    'a parent without this page map',
    (top) => rmSync(join(top, 'old', 'pagemap-1.img')),
    /new\/pagemap-1\.img takes memory from a checkpoint before it/,
  ],
  [
    'a parent that is gone',
    (top) => rmSync(join(top, 'old'), { recursive: true }),
    /builds on another one, \.\.\/old, which is not there/,
  ],
  ['no link to the parent', (top) => rmSync(join(top, 'new', 'parent')), /new\/pagemap-1\.img takes memory/],
  ['a circle', (top) => linkParent(join(top, 'old'), '../new'), /builds on itself/],
  ['an absolute link', (top) => linkParent(join(top, 'old'), '/'), /must be relative/],
  [
    'a directory in place of the link',
    (top) => mkdirSync(join(top, 'old', 'parent')),
    /is not a symbolic link/,
  ],
  [
    'pages of the parent cut off',
    (top) => truncateSync(join(top, 'old', 'pages-1.img'), 4096),
    /pages-1\.img has 4096 bytes and must have 8192/,
  ],
  [
    'ranges that overlap',
    (top) =>
      putImages(
        join(top, 'new'),
        [
          [1, 2, PRESENT],
          [2, 1, PRESENT],
        ],
        'abc',
      ),
    /new\/pagemap-1\.img has ranges that overlap/,
  ],
  [
    'ranges out of order',
    (top) =>
      putImages(
        join(top, 'new'),
        [
          [5, 1, PRESENT],
          [2, 1, PRESENT],
        ],
        'ab',
      ),
    /ranges that overlap/,
  ],
  [
    'a range that is here and in the parent',
    (top) => putImages(join(top, 'new'), [[1, 1, PRESENT | IN_PARENT]], 'a'),
    /contradict/,
  ],
  [
    'a range beyond all addresses',
    (top) => putImages(join(top, 'new'), [[2 ** 52 - 1, 2, PRESENT]], 'ab'),
    /ranges that overlap/,
  ],
  [
    'a huge count',
    (top) => putImages(join(top, 'new'), [[1, 2 ** 32 - 1, PRESENT]], 'ab'),
    /pages-1\.img has 8192 bytes and must have 17592186040320/,
  ],
  [
    'a page map that is cut off',
    (top) => truncateSync(join(top, 'new', 'pagemap-1.img'), 30),
    /pagemap-1\.img is not a readable CRIU image/,
  ],
  [
    'a page map of another form',
    (top) => writeFileSync(join(top, 'new', 'pagemap-1.img'), 'garbage garbage'),
    /pagemap-1\.img/,
  ],
  [
    'a link in the place of a page map',
    (top) => replaceByLink(join(top, 'new', 'pagemap-1.img')),
    /pagemap-1\.img is a symbolic link/,
  ],
  [
    'a link in the place of pages',
    (top) => replaceByLink(join(top, 'old', 'pages-1.img')),
    /pages-1\.img is not a regular file/,
  ],
  [
    'two page maps for the same pages',
    (top) => putImages(join(top, 'new'), [[1, 1, PRESENT]], 'a', 'pagemap-2.img', 1),
    /two page maps for pages-1\.img|pages-1\.img has/,
  ],
];

function replaceByLink(path: string): void {
  rmSync(path);
  symlinkSync('/etc/passwd', path);
}

test('damaged chains are refused before anything is written, and the file is named', async (t) => {
  for (const [why, spoil, names] of DAMAGES) {
    const top = scratch(t);
    putImages(join(top, 'old'), [[1, 2, PRESENT]], 'ab');
    putImages(
      join(top, 'new'),
      [
        [1, 2, IN_PARENT],
        [8, 1, PRESENT],
      ],
      'c',
    );
    putImages(join(top, 'good'), [[1, 2, PRESENT]], 'ab');
    linkParent(join(top, 'new'), '../old');
    await checkPageFiles(join(top, 'new'));
    spoil(top);
    const images = join(top, 'new');
    const into = join(top, 'into');
    const expected = { ...invalid, message: names };
    if (!why.startsWith('two page maps')) await assert.rejects(checkPageFiles(images), expected, why);
    await assert.rejects(writeWhole({ images, into }), expected, why);
    await assert.rejects(absorbParent({ images, into }), expected, why);
    await assert.rejects(
      writeDelta({ images, parent: join(top, 'good'), into, link: '../good' }),
      expected,
      why,
    );
    assert.equal(existsSync(into), false, why);
  }
});
