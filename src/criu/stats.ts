import { errnoOf, fail, isCryopodError, messageOf } from '../model/errors.ts';
import { logWarning } from '../system/log.ts';
import { IMAGE_MAGIC, IMG_SERVICE_MAGIC, readImage } from './images.ts';
import { optional, required } from './protobuf.ts';

/** CRIU images/stats.proto. Times in microseconds. */
const STATS_ENTRY = {
  dump: optional(1, {
    freezingTime: required(1, 'uint32'),
    frozenTime: required(2, 'uint32'),
    memdumpTime: required(3, 'uint32'),
    memwriteTime: required(4, 'uint32'),
    pagesScanned: required(5, 'uint64'),
    pagesSkippedParent: required(6, 'uint64'),
    pagesWritten: required(7, 'uint64'),
    irmapResolve: optional(8, 'uint32'),
    pagesLazy: optional(9, 'uint64'),
    sharedPagesScanned: optional(12, 'uint64'),
    sharedPagesWritten: optional(14, 'uint64'),
  }),
  restore: optional(2, {
    forkingTime: required(3, 'uint32'),
    restoreTime: required(4, 'uint32'),
    pagesRestored: optional(5, 'uint64'),
  }),
};

/** What CRIU measured while it dumped. Times in microseconds. */
export interface DumpStats {
  readonly freezingTime: number;
  readonly frozenTime: number;
  readonly memdumpTime: number;
  readonly memwriteTime: number;
  readonly pagesScanned: number;
  readonly pagesSkippedParent: number;
  readonly pagesWritten: number;
  /** Time spent on searching the paths of inotify watches. */
  readonly irmapResolve: number;
  readonly pagesLazy: number;
  readonly sharedPagesScanned: number;
  readonly sharedPagesWritten: number;
}

/** What CRIU measured while it restored. Times in microseconds. */
export interface RestoreStats {
  readonly forkingTime: number;
  readonly restoreTime: number;
  readonly pagesRestored: number;
}

const count = (value: bigint | undefined): number => Number(value ?? 0n);

/** Reads a `stats-dump` file. Fails with IMAGE_INVALID, or the system's error where it cannot be read. */
export async function readDumpStats(path: string): Promise<DumpStats> {
  const [entry] = await readImage(path, IMAGE_MAGIC.stats, STATS_ENTRY);
  const dump = entry?.dump;
  if (dump === undefined) return fail('IMAGE_INVALID', { message: `${path} holds no statistics of a dump` });
  return {
    freezingTime: dump.freezingTime,
    frozenTime: dump.frozenTime,
    memdumpTime: dump.memdumpTime,
    memwriteTime: dump.memwriteTime,
    pagesScanned: count(dump.pagesScanned),
    pagesSkippedParent: count(dump.pagesSkippedParent),
    pagesWritten: count(dump.pagesWritten),
    irmapResolve: dump.irmapResolve ?? 0,
    pagesLazy: count(dump.pagesLazy),
    sharedPagesScanned: count(dump.sharedPagesScanned),
    sharedPagesWritten: count(dump.sharedPagesWritten),
  };
}

/** Reads a `stats-restore` file. Fails with IMAGE_INVALID, or the system's error where it cannot be read. */
export async function readRestoreStats(path: string): Promise<RestoreStats> {
  const [entry] = await readImage(path, IMAGE_MAGIC.stats, STATS_ENTRY);
  const restore = entry?.restore;
  if (restore === undefined)
    return fail('IMAGE_INVALID', { message: `${path} holds no statistics of a restore` });
  return {
    forkingTime: restore.forkingTime,
    restoreTime: restore.restoreTime,
    pagesRestored: count(restore.pagesRestored),
  };
}

const NO_DUMP: DumpStats = {
  freezingTime: 0,
  frozenTime: 0,
  memdumpTime: 0,
  memwriteTime: 0,
  pagesScanned: 0,
  pagesSkippedParent: 0,
  pagesWritten: 0,
  irmapResolve: 0,
  pagesLazy: 0,
  sharedPagesScanned: 0,
  sharedPagesWritten: 0,
};
const NO_RESTORE: RestoreStats = { forkingTime: 0, restoreTime: 0, pagesRestored: 0 };

/** Like {@link readDumpStats}; zeros where CRIU could not write them, as on a full disk: what it did counts all the same. */
export const dumpStatsIfAny = (path: string): Promise<DumpStats> => ifAny(path, readDumpStats, NO_DUMP);

/** Like {@link readRestoreStats}, with zeros as for {@link dumpStatsIfAny}. */
export const restoreStatsIfAny = (path: string): Promise<RestoreStats> =>
  ifAny(path, readRestoreStats, NO_RESTORE);

async function ifAny<T>(path: string, read: (path: string) => Promise<T>, none: T): Promise<T> {
  try {
    return await read(path);
  } catch (error) {
    if (!isCryopodError(error, 'IMAGE_INVALID') && errnoOf(error) !== 'ENOENT') throw error;
    logWarning(`there are no figures: ${messageOf(error)}`);
    return none;
  }
}

/** A number of protobuf's base 128, lowest digits first. */
function varint(value: number): number[] {
  const digits: number[] = [];
  let rest = BigInt(Math.round(value));
  for (; rest > 127n; rest >>= 7n) digits.push(Number(rest & 127n) | 128);
  return [...digits, Number(rest)];
}

/** The `stats-dump` file that CRIU would write (criu/stats.c write_stats), for dumps that it did not do. */
export function formatDumpStats(stats: DumpStats): Buffer {
  const values: readonly (readonly [field: number, value: number])[] = [
    [1, stats.freezingTime],
    [2, stats.frozenTime],
    [3, stats.memdumpTime],
    [4, stats.memwriteTime],
    [5, stats.pagesScanned],
    [6, stats.pagesSkippedParent],
    [7, stats.pagesWritten],
    [8, stats.irmapResolve],
    [9, stats.pagesLazy],
    [12, stats.sharedPagesScanned],
    [14, stats.sharedPagesWritten],
  ];
  const dump = values.flatMap(([field, value]) => [...varint(field * 8), ...varint(value)]);
  // Field 1, a message.
  const entry = Buffer.from([10, ...varint(dump.length), ...dump]);
  const head = Buffer.alloc(12);
  head.writeUInt32LE(IMG_SERVICE_MAGIC, 0);
  head.writeUInt32LE(IMAGE_MAGIC.stats, 4);
  head.writeUInt32LE(entry.length, 8);
  return Buffer.concat([head, entry]);
}
