import type { RestoredAreas } from './areas.ts';
import { openCursor } from './cursor.ts';
import type { Levels } from './levels.ts';
import type { PageRecord, RecordedRun } from './page-record.ts';
import { type PageTable, PRESENT } from './page-table.ts';
import { WINDOW_BYTES } from './pages-file.ts';
import type { Pulse } from './pulse.ts';
import { openSink } from './sink.ts';

interface Recorded {
  /** Of the page map. */
  readonly name: string;
  /** CRIU's, of the whole dump. */
  readonly table: PageTable;
  /** The pages that it tells of; undefined where there are none. */
  readonly record: PageRecord | undefined;
  readonly parent: Levels;
  readonly areas: RestoredAreas;
  readonly into: string;
  readonly pulse: Pulse;
}

/** Gives recorded pages their addresses, and writes those that the parent does not have there. */
export function writeRecorded({ name, table, record, parent, areas, into, pulse }: Recorded): {
  readonly ownPages: number;
  readonly parentPages: number;
} {
  const sink = openSink(into, name, table.pagesId, parent.pageBytes, pulse);
  const take = runTaker(record?.runs() ?? []);
  const window = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  const most = WINDOW_BYTES / parent.pageBytes;
  try {
    for (let i = 0; i < table.count; i += 1) {
      const start = table.start[i] ?? 0;
      const pages = table.pages[i] ?? 0;
      const flags = table.flags[i] ?? 0;
      if ((flags & PRESENT) === 0) {
        sink.absent(start, pages, flags);
        continue;
      }
      for (let page = start; page < start + pages; ) {
        const rest = areas.kept.alike(page, start + pages - page);
        const isKept = areas.kept.has(page);
        const run = take(rest, most);
        if (run.from === page && !isKept) {
          sink.inParent(page, run.pages);
        } else {
          const content = window.subarray(0, run.pages * parent.pageBytes);
          if (run.from === undefined) record?.readOwn(content);
          else readParent(parent, run.from, content);
          sink.own(page, content, flags);
        }
        page += run.pages;
      }
    }
    return sink.finish();
  } finally {
    sink.close();
  }
}

/** Takes runs off, at most `pages` at once, and at most `most` of those with content. */
function runTaker(runs: readonly RecordedRun[]): (pages: number, most: number) => RecordedRun {
  let index = 0;
  let done = 0;
  return (pages, most) => {
    const run = runs[index] ?? { pages: 0, from: undefined };
    const taken = Math.min(pages, run.pages - done, most);
    const from = run.from === undefined ? undefined : run.from + done;
    done += taken;
    if (done === run.pages) {
      index += 1;
      done = 0;
    }
    return { pages: taken, from };
  };
}

/** What was taken for another place is rare. */
function readParent(parent: Levels, from: number, content: Buffer): void {
  const cursor = openCursor(parent);
  const { pageBytes } = parent;
  try {
    for (let done = 0; done * pageBytes < content.length; ) {
      const found = cursor.at(from + done);
      const count = Math.min(found.pages, content.length / pageBytes - done);
      cursor.read(found, count).copy(content, done * pageBytes);
      done += count;
    }
  } finally {
    cursor.close();
  }
}
