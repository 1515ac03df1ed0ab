import { isDumped, isKernelsOwn, isMappedOnce } from './live.ts';
import { liveAreas } from './live-areas.ts';
import { openProcess } from './live-process.ts';

/** Pages in the order in which CRIU is expected to write them, by their numbers. */
export interface ExpectedPages {
  readonly count: number;
  /** The page at a place of the order, and how many follow it one after another. Undefined behind the end. */
  readonly at: (index: number) => { readonly page: number; readonly pages: number } | undefined;
}

export const NOTHING_EXPECTED: ExpectedPages = { count: 0, at: () => undefined };

/** Entries of /proc/PID/pagemap that are read at once. */
const ENTRIES = 1 << 16;

/** Pages whose content is read at once. */
const READ = 256;

/** What CRIU will dump of a process that stands still. PID as this process sees it. */
export function expectedPages(pid: number, pageBytes: number): ExpectedPages {
  const process = openProcess(pid);
  if (process === undefined) return NOTHING_EXPECTED;
  const starts: number[] = [];
  const lengths: number[] = [];
  const entries = new Uint32Array(ENTRIES * 2);
  const window = Buffer.allocUnsafeSlow(READ * pageBytes);
  const upper = (i: number): number => entries[i * 2 + 1] ?? 0;
  const add = (page: number): void => {
    const last = starts.length - 1;
    if (last >= 0 && (starts[last] ?? 0) + (lengths[last] ?? 0) === page) {
      lengths[last] = (lengths[last] ?? 0) + 1;
    } else {
      starts.push(page);
      lengths.push(1);
    }
  };
  /** Adds pages that are mapped more than once, of which the kernel's own are found by their content. */
  const addWritten = (first: number, from: number, to: number): void => {
    const content = window.subarray(0, (to - from) * pageBytes);
    const got = process.memory(content, (first + from) * pageBytes) / pageBytes;
    for (let i = from; i < to; i += 1) {
      if (i - from >= got || !isKernelsOwn(content, i - from, pageBytes, upper(i))) add(first + i);
    }
  };
  try {
    for (const { start, end } of liveAreas(pid)) {
      const last = end / pageBytes;
      for (let page = start / pageBytes; page < last; ) {
        const got = process.pagemap(entries.subarray(0, Math.min(ENTRIES, last - page) * 2), page);
        if (got === 0) break;
        for (let i = 0; i < got; ) {
          const from = i;
          const isDoubtful = (): boolean => isDumped(upper(i)) && !isMappedOnce(upper(i));
          while (i < got && i - from < READ && isDoubtful()) i += 1;
          if (i > from) addWritten(page, from, i);
          else {
            if (isDumped(upper(i))) add(page + i);
            i += 1;
          }
        }
        page += got;
      }
    }
  } finally {
    process.close();
  }
  return expectedInOrder(starts, lengths);
}

/** The order that ranges of pages give: their first pages, and how many each has. */
export function expectedInOrder(starts: readonly number[], lengths: readonly number[]): ExpectedPages {
  const before = new Float64Array(starts.length + 1);
  for (const [i, length] of lengths.entries()) before[i + 1] = (before[i] ?? 0) + length;
  const count = before[starts.length] ?? 0;
  return {
    count,
    at: (index) => {
      if (index < 0 || index >= count) return undefined;
      let low = 0;
      let high = starts.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >>> 1;
        if ((before[middle] ?? 0) <= index) low = middle;
        else high = middle - 1;
      }
      const done = index - (before[low] ?? 0);
      return { page: (starts[low] ?? 0) + done, pages: (lengths[low] ?? 0) - done };
    },
  };
}
