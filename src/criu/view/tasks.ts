import { join } from 'node:path';
import { fail } from '../../model/errors.ts';
import { IMAGE_MAGIC, MACHINES, PSTREE_ENTRY, readImage } from '../images.ts';
import { optional, required } from '../protobuf.ts';
import { componentNames } from './cpu-state.ts';

/** CRIU compel/include/uapi/task-state.h. */
const STATES: Readonly<Record<number, TaskState>> = { 1: 'Alive', 2: 'Dead', 3: 'Stopped', 6: 'Zombie' };

/** As checkpointctl words them. */
export type TaskState = 'Alive' | 'Dead' | 'Stopped' | 'Zombie' | 'Unknown';

/** CRIU images/core.proto, creds.proto, core-x86.proto. */
const CORE = {
  mtype: required(1, 'uint32'),
  threadInfo: optional(2, {
    fpregs: optional(3, { xsave: optional(13, { xstateBv: required(1, 'uint64') }) }),
  }),
  tc: optional(3, {
    taskState: required(1, 'uint32'),
    exitCode: required(2, 'uint32'),
    comm: required(6, 'string'),
  }),
  thread: optional(5, {
    creds: optional(10, {
      uid: required(1, 'uint32'),
      gid: required(2, 'uint32'),
      euid: required(3, 'uint32'),
      egid: required(4, 'uint32'),
    }),
    comm: optional(13, 'string'),
  }),
};

/** CRIU images/core.proto task_kobj_ids_entry. */
const IDS = { filesId: required(2, 'uint32') };

/** More processes or threads than any container has are an attack on memory and time. */
const MAX_PROCESSES = 100_000;
const MAX_THREADS = 100_000;
/** A core image holds queued signals as well, some hundred bytes each. */
const MAX_CORE_BYTES = 16 << 20;
const MAX_IDS_BYTES = 4096;

export interface Task {
  /** As the container sees it. */
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  readonly threads: readonly number[];
  readonly state: TaskState;
  /** wait(2) status of a zombie. */
  readonly exitStatus: number;
  /** The kernel's short name of the process, at most 15 bytes. */
  readonly name: string;
  /** Effective IDs; undefined where the image does not tell. */
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  /** In the words of `uname -m`. */
  readonly machine: string;
  /** Parts of the processor's state that any of its threads has in use. */
  readonly cpuState: readonly string[];
}

/** Memory, files and sockets are in the images of such a process only. */
export const hasState = ({ state }: Task): boolean => state === 'Alive' || state === 'Stopped';

/**
 * The processes in a checkpoint's images, in the order of pstree.img (parents first). Fails with IMAGE_INVALID, or the
 * system's error where an image cannot be read.
 */
export async function readTasks(directory: string): Promise<Task[]> {
  const entries = await readImage(join(directory, 'pstree.img'), IMAGE_MAGIC.pstree, PSTREE_ENTRY);
  const threads = entries.reduce((sum, entry) => sum + entry.threads.length, 0);
  const pids = new Set(entries.map(({ pid }) => pid));
  if (entries.length > MAX_PROCESSES || threads > MAX_THREADS || pids.size < entries.length) {
    fail('IMAGE_INVALID', {
      message: `${join(directory, 'pstree.img')} names a process twice, or too many of them`,
    });
  }
  const tasks: Task[] = [];
  // One after another: core images may be large, and there may be thousands.
  for (const entry of entries) {
    const core = await readCore(directory, entry.pid);
    let used = core?.threadInfo?.fpregs?.xsave?.xstateBv ?? 0n;
    const state = STATES[core?.tc?.taskState ?? 0] ?? 'Unknown';
    if (state === 'Alive' || state === 'Stopped') {
      for (const thread of entry.threads) {
        if (thread === entry.pid) continue;
        used |= (await readCore(directory, thread))?.threadInfo?.fpregs?.xsave?.xstateBv ?? 0n;
      }
    }
    tasks.push({
      pid: entry.pid,
      parent: entry.ppid,
      group: entry.pgid,
      session: entry.sid,
      threads: entry.threads,
      state,
      exitStatus: core?.tc?.exitCode ?? 0,
      name: core?.tc?.comm ?? '',
      uid: core?.thread?.creds?.euid,
      gid: core?.thread?.creds?.egid,
      machine: MACHINES[core?.mtype ?? 0] ?? 'unknown',
      cpuState: componentNames(used),
    });
  }
  return tasks;
}

async function readCore(directory: string, id: number) {
  const path = join(directory, `core-${id}.img`);
  const [core] = await readImage(path, IMAGE_MAGIC.core, CORE, MAX_CORE_BYTES);
  return core;
}

/** The number in the name of the image that lists a process's file descriptors: fdinfo-N.img. */
export async function filesIdOf(directory: string, pid: number): Promise<number | undefined> {
  const [ids] = await readImage(join(directory, `ids-${pid}.img`), IMAGE_MAGIC.ids, IDS, MAX_IDS_BYTES);
  return ids?.filesId;
}
