import { lstat, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { errnoOf, fail } from '../../model/errors.ts';
import { readImageBytes } from '../images.ts';
import {
  IN_PARENT,
  MAX_MAP_BYTES,
  type PageTable,
  PRESENT,
  pageSizeOf,
  parsePageTable,
  placeRanges,
} from './page-table.ts';

/** Names of page maps: of a process by its PID, of shared memory by CRIU's number of the segment. */
export const PAGE_MAP = /^pagemap-(?:shmem-)?\d+\.img$/;

/** One page map of a chain of checkpoints. */
export interface Level {
  readonly mapPath: string;
  readonly pagesPath: string;
  /** Bytes of the pages file. */
  readonly fileBytes: number;
  readonly table: PageTable;
}

/** A page map and below it those of the checkpoints that it builds on; empty where there is none. */
export interface Levels {
  readonly levels: readonly Level[];
  readonly pageBytes: number;
}

/** Names of the page maps in a directory, sorted by their numbers. */
export async function pageMapNames(directory: string): Promise<string[]> {
  const names = (await readdir(directory)).filter((name) => PAGE_MAP.test(name));
  return names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}

/**
 * Reads the page map `name` of several chains, whose pages must have one size, and checks each chain: pages files are as
 * long as their page maps say, and every range in the parent is there. Reads no pages. `knownPageBytes`: the size of a page
 * where it need not be guessed. Fails with IMAGE_INVALID.
 */
export async function loadLevels(
  chains: readonly (readonly string[])[],
  name: string,
  knownPageBytes?: number,
): Promise<Levels[]> {
  const loaded: Level[][] = [];
  for (const chain of chains) loaded.push(await readLevels(chain, name));
  const sizes = loaded.flat().map(({ fileBytes, table }) => pageSizeOf(fileBytes, table.own));
  const pageBytes = knownPageBytes ?? sizes.find((size) => size !== undefined) ?? 4096;
  for (const levels of loaded) {
    for (const { mapPath, table } of levels) placeRanges(table, pageBytes, mapPath);
    for (const [i, level] of levels.entries()) {
      checkLength(level, pageBytes);
      checkParent(level, levels[i + 1]);
    }
  }
  return loaded.map((levels) => ({ levels, pageBytes }));
}

async function readLevels(chain: readonly string[], name: string): Promise<Level[]> {
  const levels: Level[] = [];
  for (const directory of chain) {
    const mapPath = join(directory, name);
    const bytes = await readIfThere(mapPath);
    // As CRIU does: what lies below a checkpoint without this page map is not looked at (criu/pagemap.c try_open_parent).
    if (bytes === undefined) break;
    const table = parsePageTable(bytes, mapPath);
    const pagesPath = join(directory, `pages-${table.pagesId}.img`);
    levels.push({ mapPath, pagesPath, fileBytes: await sizeOf(pagesPath), table });
  }
  return levels;
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readImageBytes(path, MAX_MAP_BYTES);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    if (errnoOf(error) !== 'ELOOP') throw error;
    return fail('IMAGE_INVALID', { message: `${path} is a symbolic link` });
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    const stat = await lstat(path);
    if (!stat.isFile()) fail('IMAGE_INVALID', { message: `${path} is not a regular file` });
    return stat.size;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0;
    throw error;
  }
}

function checkLength({ pagesPath, fileBytes, table }: Level, pageBytes: number): void {
  const needed = table.own * pageBytes;
  if (fileBytes >= needed) return;
  fail('IMAGE_INVALID', {
    message: `the checkpoint is damaged: ${basename(pagesPath)} has ${fileBytes} bytes and must have ${needed}: ${pagesPath}`,
    hint: 'Take the checkpoint again, or copy it anew.',
  });
}

/** Checks that the parent holds each page that a level takes from it. */
function checkParent({ mapPath, table }: Level, parent: Level | undefined): void {
  let j = 0;
  for (let i = 0; i < table.count; i += 1) {
    if (((table.flags[i] ?? 0) & IN_PARENT) === 0) continue;
    if (parent === undefined) missingInParent(mapPath, parent);
    const end = (table.start[i] ?? 0) + (table.pages[i] ?? 0);
    for (let page = table.start[i] ?? 0; page < end; ) {
      j = rangeAt(parent.table, j, page);
      if (!holds(parent.table, j, page)) missingInParent(mapPath, parent);
      page = (parent.table.start[j] ?? 0) + (parent.table.pages[j] ?? 0);
    }
  }
}

/** The first range from `from` on that ends behind `page`. */
export function rangeAt(table: PageTable, from: number, page: number): number {
  let i = from;
  while (i < table.count && (table.start[i] ?? 0) + (table.pages[i] ?? 0) <= page) i += 1;
  return i;
}

const holds = (table: PageTable, i: number, page: number): boolean =>
  i < table.count && (table.start[i] ?? 0) <= page && ((table.flags[i] ?? 0) & (PRESENT | IN_PARENT)) !== 0;

function missingInParent(mapPath: string, parent: Level | undefined): never {
  fail('IMAGE_INVALID', {
    message:
      parent === undefined
        ? `${mapPath} takes memory from a checkpoint before it, which does not have this file`
        : `${mapPath} takes memory from ${parent.mapPath}, which does not have it`,
    hint: 'A checkpoint that was made with --with-previous needs the very pre-checkpoint that it was made with.',
  });
}
