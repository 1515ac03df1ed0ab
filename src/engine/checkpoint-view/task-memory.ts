import type { FileTable } from '../../criu/view/file-entries.ts';
import { filePath } from '../../criu/view/files.ts';
import { openMemory, type ProcessMemory } from '../../criu/view/memory.ts';
import { type MemoryArea, readMemoryMap, sharedBytes } from '../../criu/view/memory-areas.ts';
import { readPageMap } from '../../criu/view/page-map.ts';
import { hasState, type Task } from '../../criu/view/tasks.ts';
import { isCryopodError } from '../../model/errors.ts';
import type { Budget } from './task-files.ts';

/** What a process's memory says of it. Empty and 0 for one without memory, such as a zombie. */
export interface TaskMemory {
  /** The command line, word by word, as the process itself has it by now. */
  readonly args: readonly string[];
  /** Empty unless asked for. NAME=value. */
  readonly env: readonly string[];
  /** Path of the program. */
  readonly program: string;
  /** Bytes of its pages in the checkpoint, and of the checkpoints before it: checkpointctl's memory size. */
  readonly memoryBytes: number;
  /** Bytes mapped as shared: checkpointctl's shared memory size. */
  readonly sharedBytes: number;
}

const NOTHING: TaskMemory = { args: [], env: [], program: '', memoryBytes: 0, sharedBytes: 0 };

interface Options {
  readonly env: boolean;
  readonly table: FileTable;
  readonly budget: Budget;
  /** Pages may be missing: what lies in such is empty. */
  readonly lacksPrevious: boolean;
}

/** Errors: IMAGE_INVALID. */
export async function readTaskMemory(
  images: string,
  task: Task,
  { env, table, budget, lacksPrevious }: Options,
): Promise<TaskMemory> {
  if (!hasState(task)) return NOTHING;
  const map = await readMemoryMap(images, task.pid);
  if (map === undefined) return NOTHING;
  const memory = await openMemory(images, task.pid, []);
  const wordsOf = async (place: Place): Promise<string[]> => {
    try {
      return await words(memory, place, budget);
    } catch (error) {
      if (lacksPrevious && isCryopodError(error, 'IMAGE_INVALID')) return [];
      throw error;
    }
  };
  try {
    return {
      args: await wordsOf(map.arguments),
      env: env ? await wordsOf(map.environment) : [],
      program: filePath(table, map.program) ?? '',
      ...(await taskSizes(images, task.pid, map.areas)),
    };
  } finally {
    await memory.close();
  }
}

export async function taskSizes(
  images: string,
  pid: number,
  areas: readonly MemoryArea[],
): Promise<Pick<TaskMemory, 'memoryBytes' | 'sharedBytes'>> {
  const pages = await readPageMap(images, `pagemap-${pid}.img`);
  return { memoryBytes: pages?.totalBytes ?? 0, sharedBytes: sharedBytes(areas) };
}

/** Linux lets arguments and environment take 6 MiB together (execve(2)); of longer ones the beginning is shown. */
const MAX_WORDS_BYTES = 6 << 20;

interface Place {
  readonly start: bigint;
  readonly end: bigint;
}

/** Strings that each end with a NUL byte. A program may have written over them: empty ones at the end are left out. */
async function words(memory: ProcessMemory, { start, end }: Place, budget: Budget): Promise<string[]> {
  if (end <= start) return [];
  const length = Math.min(Number(end - start), MAX_WORDS_BYTES, budget.textBytes);
  budget.textBytes -= length;
  const text = (await memory.read(start, length)).toString('utf8').replace(/\0+$/, '');
  return text === '' ? [] : text.split('\0');
}
