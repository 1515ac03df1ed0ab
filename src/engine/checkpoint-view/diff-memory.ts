import { type FileTable, readFileTable } from '../../criu/view/file-entries.ts';
import { openMemory, type ProcessMemory, type Span } from '../../criu/view/memory.ts';
import { type MemoryArea, readMemoryMap } from '../../criu/view/memory-areas.ts';
import type { EngineContext } from '../context.ts';
import { areaFinder, areaLabel } from './memory.ts';

/** Bytes compared at once. */
const CHUNK_BYTES = 1n << 20n;

/** Pages of two checkpoints, by their content. */
export interface PageCounts {
  readonly equal: number;
  readonly changed: number;
  /** Only in the second. */
  readonly added: number;
  /** Only in the first. */
  readonly gone: number;
}

export interface AreaDiff extends Omit<PageCounts, 'equal'> {
  readonly start: bigint;
  readonly end: bigint;
  readonly access: string;
  readonly label: string;
}

export interface MemoryDiff extends PageCounts {
  readonly pageBytes: number;
  /** The mappings with any difference, in the order of addresses. */
  readonly areas: readonly AreaDiff[];
}

type Verdict = keyof PageCounts;
type Tell = (verdict: Verdict, address: bigint, pages: number) => void;

interface Side {
  readonly memory: ProcessMemory;
  readonly areas: readonly MemoryArea[];
  readonly table: FileTable;
}

/** Compares the memory of one process in two directories of images, 1 MiB at a time. Errors: IMAGE_INVALID. */
export async function diffMemory(
  ctx: EngineContext,
  imagesBefore: string,
  imagesAfter: string,
  pid: number,
): Promise<MemoryDiff> {
  const before = await openSide(imagesBefore, pid);
  try {
    const after = await openSide(imagesAfter, pid);
    try {
      const tally = makeTally(before, after);
      await compare(ctx, before.memory, after.memory, tally.tell);
      return { ...tally.counts, pageBytes: after.memory.pageBytes, areas: tally.areas() };
    } finally {
      await after.memory.close();
    }
  } finally {
    await before.memory.close();
  }
}

async function openSide(images: string, pid: number): Promise<Side> {
  const areas = (await readMemoryMap(images, pid))?.areas ?? [];
  return { memory: await openMemory(images, pid, areas), areas, table: await readFileTable(images) };
}

/** Counts, in all and by mapping: the one of the second checkpoint, or for pages that are gone that of the first. */
function makeTally(before: Side, after: Side) {
  const counts: Record<Verdict, number> = { equal: 0, changed: 0, added: 0, gone: 0 };
  const byArea = new Map<MemoryArea, Record<Verdict, number>>();
  const inAfter = areaFinder(after.areas);
  const inBefore = areaFinder(before.areas);
  const tell: Tell = (verdict, address, pages) => {
    counts[verdict] += pages;
    if (verdict === 'equal') return;
    const area = inAfter(address) ?? inBefore(address);
    if (area === undefined) return;
    const own = byArea.get(area) ?? { equal: 0, changed: 0, added: 0, gone: 0 };
    own[verdict] += pages;
    byArea.set(area, own);
  };
  const areas = (): AreaDiff[] =>
    [...byArea]
      .map(([area, { equal: _equal, ...pages }]) => ({
        start: area.start,
        end: area.end,
        access: area.access,
        label: areaLabel(area, after.areas.includes(area) ? after.table : before.table),
        ...pages,
      }))
      .toSorted((one, other) => (one.start < other.start ? -1 : 1));
  return { counts, tell, areas };
}

/** Walks both memories by address at once. */
async function compare(
  ctx: EngineContext,
  before: ProcessMemory,
  after: ProcessMemory,
  tell: Tell,
): Promise<void> {
  const page = BigInt(after.pageBytes);
  const one = cursor(before);
  const other = cursor(after);
  const only = (verdict: Verdict, from: bigint, to: bigint): void => {
    for (let at = from; at < to; at += CHUNK_BYTES) {
      const end = at + CHUNK_BYTES < to ? at + CHUNK_BYTES : to;
      tell(verdict, at, Number((end - at) / page));
    }
  };
  while (one.span !== undefined || other.span !== undefined) {
    ctx.signal.throwIfAborted();
    const [a, b] = [one.span, other.span];
    if (a !== undefined && (b === undefined || one.at < other.at)) {
      const end = b !== undefined && other.at < a.end ? other.at : a.end;
      only('gone', one.at, end);
      one.moveTo(end);
    } else if (b !== undefined && (a === undefined || other.at < one.at)) {
      const end = a !== undefined && one.at < b.end ? one.at : b.end;
      only('added', other.at, end);
      other.moveTo(end);
    } else if (a !== undefined && b !== undefined) {
      const from = one.at;
      const ends = [a.end, b.end, from + CHUNK_BYTES];
      const end = ends.reduce((least, next) => (next < least ? next : least));
      const [left, right] = await Promise.all([before.readSpan(a, from, end), after.readSpan(b, from, end)]);
      comparePages(left, right, after.pageBytes, from, tell);
      one.moveTo(end);
      other.moveTo(end);
    }
  }
}

function comparePages(left: Buffer, right: Buffer, pageBytes: number, from: bigint, tell: Tell): void {
  if (left.equals(right)) {
    tell('equal', from, left.length / pageBytes);
    return;
  }
  for (let at = 0; at < left.length; at += pageBytes) {
    const same = left.subarray(at, at + pageBytes).equals(right.subarray(at, at + pageBytes));
    tell(same ? 'equal' : 'changed', from + BigInt(at), 1);
  }
}

/** A place in a memory's spans that only moves on. */
function cursor(memory: ProcessMemory) {
  const spans = memory.spans();
  let span: Span | undefined = spans.next().value ?? undefined;
  let at = span?.address ?? 0n;
  return {
    get span() {
      return span;
    },
    get at() {
      return at;
    },
    moveTo: (address: bigint): void => {
      at = address;
      if (span !== undefined && at < span.end) return;
      span = spans.next().value ?? undefined;
      at = span?.address ?? 0n;
    },
  };
}
