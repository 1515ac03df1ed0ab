import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostPageBytes } from '../../system/page-size.ts';
import { IMAGE_MAGIC } from '../images.ts';
import { chainOf } from './chain.ts';
import { openCursor, type PageCursor } from './cursor.ts';
import { encodeNumbers, imageOf } from './encode.ts';
import type { DeltaFigures } from './figures.ts';
import { loadLevels } from './levels.ts';
import { type LiveArea, liveAreas } from './live-areas.ts';
import { type LiveProcess, openProcess } from './live-process.ts';
import { WINDOW_BYTES } from './pages-file.ts';
import type { Pulse } from './pulse.ts';
import { writeCompared } from './rewrite.ts';
import { openSink, type PageSink } from './sink.ts';

export interface LiveJob {
  readonly verb: 'live';
  readonly processes: readonly { readonly hostPid: number; readonly pid: number }[];
  readonly parent: string | undefined;
  readonly into: string;
}

/** Does the job. Fails with IMAGE_INVALID (of the parent), INTERRUPTED or the system's error. */
export async function readLive({ processes, parent, into }: LiveJob, pulse: Pulse): Promise<DeltaFigures> {
  const chain = parent === undefined ? [] : await chainOf(parent);
  const begin = uptime();
  const pageBytes = hostPageBytes();
  const sum = { ownPages: 0, parentPages: 0, pageBytes };
  let pagesId = 1;
  for (const { hostPid, pid } of processes) {
    const name = `pagemap-${pid}.img`;
    const [before] = await loadLevels([chain], name, pageBytes);
    const live = openProcess(hostPid);
    if (before === undefined || live === undefined) continue;
    const base = openCursor(before);
    const sink = openSink(into, name, pagesId, pageBytes, pulse);
    pagesId += 1;
    try {
      const reader = makeReader(live, base, sink, pulse);
      for (const area of liveAreas(hostPid)) reader(area);
      const { ownPages, parentPages } = sink.finish();
      sum.ownPages += ownPages;
      sum.parentPages += parentPages;
    } finally {
      sink.close();
      base.close();
      live.close();
    }
  }
  // Last, as CRIU writes it: its presence says that the images are complete.
  writeFileSync(join(into, 'inventory.img'), inventory(begin), { mode: 0o600, flag: 'wx' });
  return sum;
}

/**
 * The inventory of a pre-dump (CRIU criu/cr-dump.c cr_pre_dump_finish): no version, the uptime of the host in microseconds
 * by which a later dump tells whether a PID was used anew, and the mode "read from outside", by which a later one does not
 * rely on memory that the process itself may not read.
 */
const inventory = (uptimeMicroseconds: number): Buffer =>
  imageOf(
    IMAGE_MAGIC.inventory,
    encodeNumbers([
      [1, 0],
      [8, uptimeMicroseconds],
      [9, PRE_DUMP_READ],
    ]),
  );

/** CRIU criu/include/cr_options.h */
const PRE_DUMP_READ = 2;

/** proc_uptime(5): seconds with two decimals. */
const uptime = (): number => Math.round(Number.parseFloat(readFileSync('/proc/uptime', 'utf8')) * 1e6);

/** Bits of the upper half of an entry of /proc/PID/pagemap: present, swapped out, of a file or shared, mapped once. */
const IN_MEMORY = 2 ** 31;
const SWAPPED = 1 << 30;
const OF_FILE = 1 << 29;
const ONCE = 1 << 24;

/** Entries of /proc/PID/pagemap that are read at once: of 256 MiB in pages of 4 KiB. */
const ENTRIES = 1 << 16;

/** Reads areas of a process, one after another, into a sink. */
function makeReader(
  live: LiveProcess,
  base: PageCursor,
  sink: PageSink,
  pulse: Pulse,
): (area: LiveArea) => void {
  const { pageBytes } = base;
  const most = WINDOW_BYTES / pageBytes;
  const entries = new Uint32Array(ENTRIES * 2);
  const window = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  const stretch = (page: number, upper: (i: number) => number, pages: number): void => {
    pulse.beat(pages * pageBytes);
    for (let done = 0; done < pages; ) {
      const rest = window.subarray(0, (pages - done) * pageBytes);
      const got = Math.floor(live.memory(rest, (page + done) * pageBytes) / pageBytes);
      keep(page + done, rest.subarray(0, got * pageBytes), (i) => upper(done + i), base, sink);
      // What could not be read was unmapped meanwhile.
      done += got + 1;
    }
  };
  return ({ start, end }) => {
    const last = end / pageBytes;
    for (let page = start / pageBytes; page < last; ) {
      const got = live.pagemap(entries.subarray(0, Math.min(ENTRIES, last - page) * 2), page);
      if (got === 0) return;
      for (let i = 0; i < got; ) {
        const from = i;
        while (i < got && i - from < most && isDumped(entries[i * 2 + 1] ?? 0)) i += 1;
        if (i > from) stretch(page + from, (j) => entries[(from + j) * 2 + 1] ?? 0, i - from);
        else i += 1;
      }
      page += got;
    }
  };
}

/** As CRIU chooses pages of private mappings (criu/mem.c should_dump_page). */
export const isDumped = (upper: number): boolean =>
  (upper >= IN_MEMORY || (upper & SWAPPED) !== 0) && (upper & OF_FILE) === 0;

/** Whether page `i` of what was read is a page of zeros of the kernel's own, which nobody wrote and CRIU leaves out. */
export const isKernelsOwn = (content: Buffer, i: number, pageBytes: number, upper: number): boolean =>
  !isMappedOnce(upper) &&
  content.compare(zerosOf(pageBytes), 0, pageBytes, i * pageBytes, (i + 1) * pageBytes) === 0;

export const isMappedOnce = (upper: number): boolean => (upper & ONCE) !== 0;

let zeros = Buffer.alloc(0);

function zerosOf(pageBytes: number): Buffer {
  if (zeros.length !== pageBytes) zeros = Buffer.alloc(pageBytes);
  return zeros;
}

/** Writes what was read, without the kernel's own pages. */
function keep(
  page: number,
  content: Buffer,
  upper: (i: number) => number,
  base: PageCursor,
  sink: PageSink,
): void {
  const { pageBytes } = base;
  const pages = content.length / pageBytes;
  let from = 0;
  for (let i = 0; i <= pages; i += 1) {
    if (i < pages && !isKernelsOwn(content, i, pageBytes, upper(i))) continue;
    writeAgainst(page + from, content.subarray(from * pageBytes, i * pageBytes), base, sink);
    from = i + 1;
  }
}

/** Writes pages that lie at `page`, those that the parent does not have. */
function writeAgainst(page: number, content: Buffer, base: PageCursor, sink: PageSink): void {
  const { pageBytes } = base;
  const pages = content.length / pageBytes;
  for (let done = 0; done < pages; ) {
    const before = base.at(page + done);
    const count = Math.min(pages - done, before.pages);
    const part = content.subarray(done * pageBytes, (done + count) * pageBytes);
    if (before.kind !== 'own') sink.own(page + done, part, 0);
    else writeCompared(page + done, count, part, 0, base.read(before, count), pageBytes, sink);
    done += count;
  }
}
