import { constants } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf, fail } from '../../model/errors.ts';
import { MAX_LEVELS } from '../delta/chain.ts';
import type { MemoryArea } from './memory-areas.ts';
import { type PageMap, type PageRange, readPageMap } from './page-map.ts';

/** Memory is read in pieces of this size. */
const CHUNK_BYTES = 1 << 20;

/** Saved memory that lies one after another, in the process as in one file. */
export interface Span {
  readonly address: bigint;
  readonly end: bigint;
  readonly file: string;
  /** Bytes into the file. */
  readonly offset: number;
}

export interface MemoryChunk {
  readonly address: bigint;
  readonly bytes: Buffer;
}

/** The saved memory of one process. Its own pages, and those of the anonymous segments that it shares with others. */
export interface ProcessMemory {
  readonly pageBytes: number;
  /** In the order of addresses, without overlaps. Fails with IMAGE_INVALID. */
  readonly spans: () => Generator<Span>;
  /** Content of a part of a span. Fails with IMAGE_INVALID where the pages file ends early. */
  readonly readSpan: (span: Span, from: bigint, to: bigint) => Promise<Buffer>;
  /** All content in pieces of at most 1 MiB. */
  readonly chunks: () => AsyncGenerator<MemoryChunk>;
  /** What lies at an address; zeros where nothing is saved. The caller bounds the length. */
  readonly read: (address: bigint, length: number) => Promise<Buffer>;
  readonly close: () => Promise<void>;
}

/** A page map, and below it those of the checkpoints that it builds on. */
type Levels = readonly PageMap[];

interface Part {
  readonly levels: Levels;
  /** What an address of its page map is in the process: shared segments are counted from zero. */
  readonly shift: bigint;
  /** Only addresses of the process from `start` to `end`. */
  readonly start: bigint;
  readonly end: bigint;
}

/**
 * Opens the memory of a process in a directory of CRIU's images; the caller closes it. `areas` are those of
 * readMemoryMap: with them come the shared segments. Fails with IMAGE_INVALID, or the system's error.
 */
export async function openMemory(
  directory: string,
  pid: number,
  areas: readonly MemoryArea[],
): Promise<ProcessMemory> {
  const own = await readLevels(directory, `pagemap-${pid}.img`);
  const segments = new Map<bigint, Levels>();
  const parts: Part[] = [];
  for (const { segment, start, end, offset } of areas) {
    if (segment === undefined) continue;
    const levels = segments.get(segment) ?? (await readLevels(directory, `pagemap-shmem-${segment}.img`));
    segments.set(segment, levels);
    if (levels.length > 0) parts.push({ levels, shift: start - offset, start, end });
  }
  return makeMemory(
    own,
    parts.toSorted((a, b) => (a.start < b.start ? -1 : 1)),
  );
}

async function readLevels(directory: string, name: string): Promise<PageMap[]> {
  const levels: PageMap[] = [];
  for (let at: string | undefined = directory; at !== undefined; at = await parentOf(at)) {
    if (levels.length >= MAX_LEVELS) {
      fail('IMAGE_INVALID', { message: `${directory} builds on more than ${MAX_LEVELS} checkpoints` });
    }
    const map = await readPageMap(at, name);
    if (map === undefined) break;
    levels.push(map);
  }
  return levels;
}

/**
 * Where CRIU's link `parent` leads (criu/include/image.h CR_PARENT_LINK): only to a directory beside the images, or to one
 * inside of them, as in a checkpoint of a history.
 */
async function parentOf(directory: string): Promise<string | undefined> {
  try {
    const here = await realpath(directory);
    const parent = await realpath(join(here, 'parent'));
    const isNear = dirname(parent) === dirname(here) || parent.startsWith(`${here}/`);
    return isNear && parent !== here ? parent : undefined;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function makeMemory(own: Levels, parts: readonly Part[]): ProcessMemory {
  const files = new Map<string, FileHandle>();
  const handle = async (path: string): Promise<FileHandle> => {
    const known = files.get(path);
    if (known !== undefined) return known;
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    files.set(path, file);
    if (!(await file.stat()).isFile()) {
      fail('IMAGE_INVALID', { message: `${path} is not a regular file` });
    }
    return file;
  };
  const spans = (): Generator<Span> => mergedSpans(own, parts);
  const readSpan = async (span: Span, from: bigint, to: bigint): Promise<Buffer> => {
    const bytes = Buffer.allocUnsafe(Number(to - from));
    const at = span.offset + Number(from - span.address);
    await fill(await handle(span.file), span.file, bytes, at);
    return bytes;
  };
  return {
    pageBytes: own[0]?.pageBytes ?? PAGE_BYTES,
    spans,
    readSpan,
    async *chunks() {
      for (const span of spans()) {
        for (let from = span.address; from < span.end; from += BigInt(CHUNK_BYTES)) {
          const to = earlier(from + BigInt(CHUNK_BYTES), span.end);
          yield { address: from, bytes: await readSpan(span, from, to) };
        }
      }
    },
    read: async (address, length) => {
      const bytes = Buffer.alloc(length);
      const end = address + BigInt(length);
      for (const span of spans()) {
        const from = later(span.address, address);
        const to = earlier(span.end, end);
        if (from < to) (await readSpan(span, from, to)).copy(bytes, Number(from - address));
        if (span.address >= end) break;
      }
      return bytes;
    },
    close: async () => {
      for (const file of files.values()) await file.close();
    },
  };
}

const PAGE_BYTES = 4096;

/** Math.min and Math.max know no bigint. */
const earlier = (one: bigint, other: bigint): bigint => (other < one ? other : one);
const later = (one: bigint, other: bigint): bigint => (one < other ? other : one);

async function fill(file: FileHandle, path: string, bytes: Buffer, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, at + done);
    if (bytesRead === 0) {
      fail('IMAGE_INVALID', {
        message: `the checkpoint is damaged: ${path} is shorter than its page map says`,
      });
    }
    done += bytesRead;
  }
}

/** The process's own spans and those of shared segments, which lie between them, in the order of addresses. */
function* mergedSpans(own: Levels, parts: readonly Part[]): Generator<Span> {
  const waiting = [...parts];
  let last = 0n;
  const inOrder = (span: Span): Span => {
    if (span.address < last) {
      fail('IMAGE_INVALID', { message: `${span.file}: the areas of shared memory overlap others` });
    }
    last = span.end;
    return span;
  };
  for (const span of levelSpans(own)) {
    while (waiting[0] !== undefined && waiting[0].start < span.address) {
      for (const shared of partSpans(waiting.shift() as Part)) yield inOrder(shared);
    }
    yield inOrder(span);
  }
  for (const part of waiting) for (const shared of partSpans(part)) yield inOrder(shared);
}

function* partSpans({ levels, shift, start, end }: Part): Generator<Span> {
  for (const span of levelSpans(levels)) {
    const address = span.address + shift;
    const from = later(address, start);
    const to = earlier(span.end + shift, end);
    if (from < to) {
      yield { address: from, end: to, file: span.file, offset: span.offset + Number(from - address) };
    }
  }
}

/** A cursor over the ranges of one level that only moves on. */
interface Cursor {
  readonly map: PageMap;
  readonly ranges: Generator<PageRange>;
  current: PageRange | undefined;
}

function* levelSpans(levels: Levels): Generator<Span> {
  const [first, ...below] = levels;
  if (first === undefined) return;
  const cursors = below.map((map): Cursor => {
    const ranges = map.ranges();
    return { map, ranges, current: ranges.next().value ?? undefined };
  });
  for (const range of first.ranges()) yield* resolve(first, range, range.address, range.end, cursors, 0);
}

/** The spans of [from, to) of a range; for pages of the parent by looking there. Depth is bounded by MAX_LEVELS. */
function* resolve(
  map: PageMap,
  range: PageRange,
  from: bigint,
  to: bigint,
  cursors: readonly Cursor[],
  level: number,
): Generator<Span> {
  if (range.where === 'absent' || from >= to) return;
  if (range.where === 'present') {
    const offset = range.offset + Number(from - range.address);
    yield { address: from, end: to, file: map.pagesPath, offset };
    return;
  }
  const cursor = cursors[level];
  let at = from;
  while (cursor?.current !== undefined && at < to) {
    const { current } = cursor;
    if (current.end <= at) {
      cursor.current = cursor.ranges.next().value ?? undefined;
      continue;
    }
    if (current.address > at) break;
    const until = earlier(current.end, to);
    yield* resolve(cursor.map, current, at, until, cursors, level + 1);
    at = until;
  }
  if (at >= to) return;
  fail('IMAGE_INVALID', {
    message: `memory at 0x${at.toString(16)} is in a checkpoint before this one, which is not there`,
    hint: 'The checkpoint was made with --with-previous: keep its pre-checkpoint beside it.',
  });
}
