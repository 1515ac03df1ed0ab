import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { IMAGE_MAGIC, readImageEntries } from '../images.ts';
import { decodeMessage } from '../protobuf.ts';
import { imageOf, message } from '../view/testing.ts';
import { LAZY, PAGEMAP_ENTRY, PAGEMAP_HEAD, PRESENT } from './page-table.ts';

/** First page, number of pages, flags of CRIU's page maps. */
export type Range = readonly [start: number, pages: number, flags: number];

/** What a page map says of one page. */
export type Page =
  | { readonly where: 'own'; readonly content: string }
  | { readonly where: 'parent' | 'absent' };
export type Pages = ReadonlyMap<number, Page>;

/** Writes a page map and its pages: each page is filled with one letter of `letters`. */
export function putImages(
  directory: string,
  ranges: readonly Range[],
  letters: string,
  name = 'pagemap-1.img',
  pagesId = 1,
  pageBytes = 4096,
): void {
  mkdirSync(directory, { recursive: true });
  const entries = ranges.map(([start, pages, flags]) =>
    message([
      [1, BigInt(start) * BigInt(pageBytes)],
      [2, pages],
      [4, flags],
      [5, pages],
    ]),
  );
  writeFileSync(join(directory, name), imageOf(IMAGE_MAGIC.pagemap, message([[1, pagesId]]), ...entries));
  const content = [...letters].map((letter) => Buffer.alloc(pageBytes, letter));
  writeFileSync(join(directory, `pages-${pagesId}.img`), Buffer.concat(content));
}

export const linkParent = (directory: string, text: string): void =>
  symlinkSync(text, join(directory, 'parent'));

/** Reads a page map by the simplest means, one entry a page. */
export async function pagesOf(directory: string, name = 'pagemap-1.img', pageBytes = 4096): Promise<Pages> {
  const pages = new Map<number, Page>();
  const [head, ...entries] = (await readImageEntries(join(directory, name))).entries;
  if (head === undefined) throw new Error('no head');
  const file = readFileSync(join(directory, `pages-${decodeMessage(head, PAGEMAP_HEAD).pagesId}.img`));
  let at = 0;
  for (const entry of entries) {
    const { vaddr, compatPages, flags = PRESENT, pages: count } = decodeMessage(entry, PAGEMAP_ENTRY);
    if (BigInt(compatPages) !== count) throw new Error('the two counts differ');
    const where = flags & ~LAZY;
    for (let i = 0; i < compatPages; i += 1) {
      const page = Number(vaddr / BigInt(pageBytes)) + i;
      if (pages.has(page)) throw new Error(`page ${page} is there twice`);
      if (where === PRESENT) {
        pages.set(page, { where: 'own', content: file.toString('latin1', at, at + 1) });
        at += pageBytes;
      } else pages.set(page, { where: where === 0 ? 'absent' : 'parent' });
    }
  }
  if (at !== file.length) throw new Error(`${file.length} bytes of pages, ${at} in the page map`);
  return pages;
}

/** What a process would get: own pages, and those of parents where they are taken from them. */
export function resolve([top, ...below]: readonly Pages[]): Map<number, string> {
  const content = new Map<number, string>();
  for (const [page, is] of top ?? []) {
    if (is.where === 'own') content.set(page, is.content);
    if (is.where === 'parent') content.set(page, resolve(below).get(page) ?? 'missing');
  }
  return content;
}

/** Names in a directory, sorted. */
export const namesIn = (directory: string): string[] => readdirSync(directory).sort();

/** A private directory for the time of a test. */
export function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'cryopod-delta-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
