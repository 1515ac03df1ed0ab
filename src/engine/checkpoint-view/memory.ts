import { type FileTable, readFileTable } from '../../criu/view/file-entries.ts';
import { filePath } from '../../criu/view/files.ts';
import { type MemoryChunk, openMemory } from '../../criu/view/memory.ts';
import { type MemoryArea, readMemoryMap } from '../../criu/view/memory-areas.ts';
import {
  type FoundString,
  type Match,
  type Pattern,
  searchChunks,
  stringsInChunks,
} from '../../criu/view/scan.ts';
import { hasState, readTasks, type Task } from '../../criu/view/tasks.ts';
import { fail } from '../../model/errors.ts';
import type { EngineContext } from '../context.ts';
import { withCheckpointView } from './open.ts';
import { requireTask } from './report.ts';
import { taskSizes } from './task-memory.ts';

export { literalPattern, MAX_MATCH, type Pattern, regexPattern } from '../../criu/view/scan.ts';

/** A process in whose memory something was found. */
export interface Owner {
  readonly pid: number;
  readonly name: string;
}

export interface MemoryRow extends Owner {
  readonly memoryBytes: number;
  readonly sharedBytes: number;
}

/** One mapping and how much of it is in the checkpoint. */
export interface AreaRow {
  readonly area: MemoryArea;
  /** The file's path, `[heap]` and the like, or empty. */
  readonly label: string;
  readonly savedBytes: number;
}

/** Memory by process, in the order of pstree.img; those without memory are left out. Errors: as withCheckpointView. */
export const memoryTable = (ctx: EngineContext, name: string): Promise<MemoryRow[]> =>
  withCheckpointView(ctx, name, {}, async ({ images }) => {
    const rows: MemoryRow[] = [];
    for (const { pid, name: process } of (await readTasks(images)).filter(hasState)) {
      const map = await readMemoryMap(images, pid);
      rows.push({ pid, name: process, ...(await taskSizes(images, pid, map?.areas ?? [])) });
    }
    return rows;
  });

/** The mappings of one process. Errors: USAGE where there is no such process. */
export const memoryAreas = (ctx: EngineContext, name: string, pid: number): Promise<AreaRow[]> =>
  withCheckpointView(ctx, name, {}, async ({ images }) => {
    requireTask(await readTasks(images), pid);
    const table = await readFileTable(images);
    const areas = (await readMemoryMap(images, pid))?.areas ?? [];
    const memory = await openMemory(images, pid, areas);
    try {
      const saved = new Map<MemoryArea, bigint>();
      const find = areaFinder(areas);
      for (const span of memory.spans()) {
        for (let at = span.address; at < span.end; ) {
          const area = find(at);
          const end = area === undefined || area.end > span.end ? span.end : area.end;
          if (area !== undefined) saved.set(area, (saved.get(area) ?? 0n) + end - at);
          at = end;
        }
      }
      return areas.map((area) => ({
        area,
        label: areaLabel(area, table),
        savedBytes: Number(saved.get(area) ?? 0n),
      }));
    } finally {
      await memory.close();
    }
  });

/** What a mapping is of. */
export const areaLabel = ({ label, fileId, segment }: MemoryArea, table: FileTable): string => {
  if (fileId !== undefined) return filePath(table, fileId) ?? '';
  return segment === undefined ? label : '[shared]';
};

/** Finds the area of an address, by halves. Hostile images may have them in any order: these are not found. */
export function areaFinder(areas: readonly MemoryArea[]): (address: bigint) => MemoryArea | undefined {
  return (address) => {
    let low = 0;
    for (let high = areas.length; low < high; ) {
      const middle = (low + high) >>> 1;
      if ((areas[middle]?.end ?? 0n) > address) high = middle;
      else low = middle + 1;
    }
    const area = areas[low];
    return area !== undefined && area.start <= address ? area : undefined;
  };
}

export interface ScanOptions {
  /** Only this process; undefined for all. */
  readonly pid: number | undefined;
}

/**
 * Gives `work` the saved memory of one process after another, in the order of pstree.img. Each is read in pieces of at
 * most 1 MiB. Errors: as withCheckpointView, USAGE for an unknown process, IMAGE_INVALID, INTERRUPTED.
 */
export const scanMemory = (
  ctx: EngineContext,
  name: string,
  { pid }: ScanOptions,
  work: (owner: Owner, chunks: AsyncGenerator<MemoryChunk>) => Promise<void>,
): Promise<void> =>
  withCheckpointView(ctx, name, {}, async ({ images }) => {
    const tasks = await readTasks(images);
    for (const task of pid === undefined ? tasks.filter(hasState) : [requireMemory(tasks, pid)]) {
      const areas = (await readMemoryMap(images, task.pid))?.areas ?? [];
      const memory = await openMemory(images, task.pid, areas);
      try {
        await work(task, interruptible(ctx, memory.chunks()));
      } finally {
        await memory.close();
      }
    }
  });

function requireMemory(tasks: readonly Task[], pid: number): Task {
  const task = requireTask(tasks, pid);
  if (hasState(task)) return task;
  return fail('USAGE', { message: `process ${pid} had ended (${task.state}) and has no memory` });
}

async function* interruptible(
  ctx: EngineContext,
  chunks: AsyncGenerator<MemoryChunk>,
): AsyncGenerator<MemoryChunk> {
  for await (const chunk of chunks) {
    ctx.signal.throwIfAborted();
    yield chunk;
  }
}

/** Tells each match while memory is read; returns how many there were. `context` in bytes. */
export async function searchMemory(
  ctx: EngineContext,
  name: string,
  options: ScanOptions & { readonly pattern: Pattern; readonly context: number },
  found: (owner: Owner, match: Match) => Promise<void>,
): Promise<number> {
  let count = 0;
  await scanMemory(ctx, name, options, async (owner, chunks) => {
    for await (const match of searchChunks(chunks, options.pattern, options.context)) {
      count += 1;
      await found(owner, match);
    }
  });
  return count;
}

/** Tells each string of at least `min` printable characters while memory is read. */
export const memoryStrings = (
  ctx: EngineContext,
  name: string,
  options: ScanOptions & { readonly min: number },
  found: (owner: Owner, string: FoundString) => Promise<void>,
): Promise<void> =>
  scanMemory(ctx, name, options, async (owner, chunks) => {
    for await (const string of stringsInChunks(chunks, options.min)) await found(owner, string);
  });
