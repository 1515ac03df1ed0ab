import { join } from 'node:path';
import { IMAGE_MAGIC, PSTREE_ENTRY, readImage } from './images.ts';
import { type Message, optional, repeated, required } from './protobuf.ts';

/** CRIU images/seccomp.proto. */
const SECCOMP = {
  filters: repeated(1, {
    program: required(1, 'bytes'),
    previous: optional(2, 'uint32'),
    flags: optional(3, 'uint32'),
  }),
};
type Filter = Message<typeof SECCOMP>['filters'][number];

/** seccomp_mode (CRIU images/core.proto). */
const MODE = { strict: 1, filter: 2 } as const;
/** SECCOMP_FILTER_FLAG_TSYNC (linux/seccomp.h): the filter becomes that of all threads of the process. */
const TSYNC = 1;

/** What core-N.img says of a thread's seccomp mode and filter. */
export interface ThreadSeccomp {
  readonly mode: number | undefined;
  readonly filter: number | undefined;
  /** The process's, as older CRIU wrote them: CRIU takes these where they are, also where the thread's are there too. */
  readonly taskMode: number | undefined;
  readonly taskFilter: number | undefined;
}

export interface SeccompOfThreads {
  /** A thread has no filter. */
  readonly unfiltered: boolean;
  /** The filters that threads have, each set once: what a thread may do is what all of a set let through. */
  readonly filters: readonly (readonly Uint8Array[])[];
}

/**
 * The filters that CRIU gives to threads (CRIU criu/seccomp.c, criu/pie/restorer.c): each its own, and where the dump found
 * that all threads of a process have the same, only the leader's, which then carries TSYNC. `threads` are those of the
 * core images by number. Fails with IMAGE_INVALID.
 */
export async function seccompOfThreads(
  directory: string,
  names: readonly string[],
  threads: ReadonlyMap<number, ThreadSeccomp>,
): Promise<SeccompOfThreads> {
  const all = names.includes('seccomp.img')
    ? ((await readImage(join(directory, 'seccomp.img'), IMAGE_MAGIC.seccomp, SECCOMP))[0]?.filters ?? [])
    : [];
  const leaders = await leadersOf(directory, names);
  const sets = new Map<string, readonly Uint8Array[]>();
  let unfiltered = false;
  for (const [number, thread] of threads) {
    const leader = leaders.get(number);
    const own = ownFilters(all, thread);
    const shared = leader === undefined ? [] : sharedFilters(all, threads.get(leader));
    if (own === 'strict') continue;
    const programs = [...own, ...shared].map(({ program }) => program);
    if (programs.length === 0) unfiltered = true;
    else sets.set(programs.map((program) => Buffer.from(program).toString('latin1')).join('|'), programs);
  }
  return { unfiltered, filters: [...sets.values()] };
}

/** The leader of each thread that is not one. */
async function leadersOf(directory: string, names: readonly string[]): Promise<ReadonlyMap<number, number>> {
  const leaders = new Map<number, number>();
  if (!names.includes('pstree.img')) return leaders;
  for (const { pid, threads } of await readImage(
    join(directory, 'pstree.img'),
    IMAGE_MAGIC.pstree,
    PSTREE_ENTRY,
  )) {
    for (const thread of threads) if (thread !== pid) leaders.set(thread, pid);
  }
  return leaders;
}

function ownFilters(all: readonly Filter[], thread: ThreadSeccomp): readonly Filter[] | 'strict' {
  const mode = thread.taskMode ?? thread.mode;
  if (mode === MODE.strict) return 'strict';
  return mode === MODE.filter ? chainOf(all, thread) : [];
}

function sharedFilters(all: readonly Filter[], leader: ThreadSeccomp | undefined): readonly Filter[] {
  if (leader === undefined) return [];
  const own = ownFilters(all, leader);
  if (own === 'strict') return [];
  return leader.taskFilter === undefined ? own.filter(({ flags = 0 }) => (flags & TSYNC) !== 0) : own;
}

function chainOf(all: readonly Filter[], { filter = 0, taskFilter }: ThreadSeccomp): Filter[] {
  const chain: Filter[] = [];
  for (let at: number | undefined = taskFilter ?? filter; at !== undefined && chain.length <= all.length; ) {
    const found: Filter | undefined = all[at];
    if (found === undefined) break;
    chain.push(found);
    at = found.previous;
  }
  return chain;
}
