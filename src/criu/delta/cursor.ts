import type { Levels } from './levels.ts';
import { rangeAt } from './levels.ts';
import { IN_PARENT, PRESENT } from './page-table.ts';
import { openPages, type PagesFile } from './pages-file.ts';

/** What a chain of checkpoints has at a page, and for how many pages from there on the same holds. One object is used anew. */
export interface Found {
  /** `none`: no page map names it. `absent`: one does, but the content was not kept. */
  kind: 'own' | 'absent' | 'none';
  /** How deep in the chain it lies; 0 is the checkpoint itself. */
  depth: number;
  /** Pages into the pages file of that depth, if own. */
  offset: number;
  pages: number;
  /** Flags of the uppermost checkpoint's range. */
  flags: number;
}

export interface PageCursor {
  readonly pageBytes: number;
  /** What lies at `page`. Pages must be asked for in ascending order. `maxDepth`: look no deeper, pages there are `none`. */
  readonly at: (page: number, maxDepth?: number) => Found;
  /** Content of what `at` found; valid until the next call for the same file. */
  readonly read: (found: Found, pages: number) => Buffer;
  readonly file: (depth: number) => PagesFile;
  readonly close: () => void;
}

/** A cursor through the memory that a chain of page maps, which {@link loadLevels} has checked, describes. */
export function openCursor({ levels, pageBytes }: Levels): PageCursor {
  const at = levels.map(() => 0);
  const files: (PagesFile | undefined)[] = levels.map(() => undefined);
  const found: Found = { kind: 'none', depth: 0, offset: 0, pages: 0, flags: 0 };
  const file = (depth: number): PagesFile => (files[depth] ??= openPages(levels[depth]?.pagesPath ?? ''));
  return {
    pageBytes,
    at: (page, maxDepth = levels.length) => {
      found.kind = 'none';
      found.pages = Number.POSITIVE_INFINITY;
      found.flags = 0;
      for (const [depth, { table }] of levels.entries()) {
        if (depth > maxDepth) break;
        const i = rangeAt(table, at[depth] ?? 0, page);
        at[depth] = i;
        const start = table.start[i] ?? 0;
        if (i >= table.count) break;
        if (start > page) {
          found.pages = Math.min(found.pages, start - page);
          break;
        }
        found.pages = Math.min(found.pages, start + (table.pages[i] ?? 0) - page);
        const flags = table.flags[i] ?? 0;
        if (depth === 0) found.flags = flags;
        found.depth = depth;
        if ((flags & IN_PARENT) !== 0) continue;
        found.kind = (flags & PRESENT) !== 0 ? 'own' : 'absent';
        found.offset = (table.offset[i] ?? 0) + page - start;
        break;
      }
      return found;
    },
    read: ({ depth, offset }, pages) => file(depth).read(offset * pageBytes, pages * pageBytes),
    file,
    close: () => {
      for (const each of files) each?.close();
    },
  };
}
