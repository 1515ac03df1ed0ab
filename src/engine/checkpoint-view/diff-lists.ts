import type { CheckpointReport, TaskReport } from './report.ts';
import { renderEnds } from './socket-ends.ts';

/** What is on one side only. */
export interface ListDiff<T> {
  readonly added: readonly T[];
  readonly gone: readonly T[];
}

export interface ProcessFile {
  readonly pid: number;
  readonly fd: string;
  readonly type: string;
  readonly path: string;
}

export interface ProcessSocket {
  readonly pid: number;
  readonly fd: number;
  readonly protocol: string;
  readonly state: string;
  readonly local: string;
  readonly peer: string;
}

export interface ProcessChange {
  readonly pid: number;
  readonly name: string;
  readonly state: string;
  readonly command: string;
  /** What is different: `state Alive → Stopped`, `command …`. */
  readonly changes: readonly string[];
}

/** Items of two lists by a key; each key counts as often as it occurs. */
export function diffLists<T>(
  before: readonly T[],
  after: readonly T[],
  keyOf: (item: T) => string,
): ListDiff<T> {
  const notIn = (items: readonly T[], others: readonly T[]): T[] => {
    const left = new Map<string, number>();
    for (const other of others) left.set(keyOf(other), (left.get(keyOf(other)) ?? 0) + 1);
    return items.filter((item) => {
      const count = left.get(keyOf(item)) ?? 0;
      left.set(keyOf(item), count - 1);
      return count <= 0;
    });
  };
  return { added: notIn(after, before), gone: notIn(before, after) };
}

/**
 * Open files but sockets. Numbers of pipes and IDs of CRIU are new in each checkpoint of a restored container, and the
 * same only by chance: pipes are compared by their being there.
 */
export function filesOf({ tasks }: CheckpointReport): ProcessFile[] {
  return tasks.flatMap(({ pid, files, cwd, root }) => [
    ...files
      .filter(({ type }) => !type.endsWith('SK'))
      .map(({ fd, type, path }) => ({ pid, fd: String(fd), type, path })),
    ...(cwd === '' ? [] : [{ pid, fd: 'cwd', type: 'DIR', path: cwd }]),
    ...(root === '' ? [] : [{ pid, fd: 'root', type: 'DIR', path: root }]),
  ]);
}

export const fileKey = ({ pid, fd, type, path }: ProcessFile): string =>
  JSON.stringify([pid, fd, type, type === 'PIPE' ? '' : path]);

export const socketsOf = ({ tasks }: CheckpointReport): ProcessSocket[] =>
  tasks.flatMap(({ pid, sockets }) =>
    sockets.map((socket) => ({ pid, fd: socket.fd, state: socket.state, ...renderEnds(socket) })),
  );

export const socketKey = (socket: ProcessSocket): string => {
  // Inode numbers stand for peers without a name; they are no property of the container.
  const peer = socket.peer.startsWith('[') && !socket.peer.includes(']:') ? '' : socket.peer;
  return JSON.stringify([socket.pid, socket.fd, socket.protocol, socket.state, socket.local, peer]);
};

const asProcess = (task: TaskReport, changes: readonly string[] = []): ProcessChange => ({
  pid: task.pid,
  name: task.name,
  state: task.state,
  command: task.args.join(' ') || `[${task.name}]`,
  changes,
});

export interface ProcessDiff extends ListDiff<ProcessChange> {
  readonly changed: readonly ProcessChange[];
  /** Processes that are in both. */
  readonly same: readonly number[];
}

/** Processes by their number. */
export function diffProcesses(before: CheckpointReport, after: CheckpointReport): ProcessDiff {
  const earlier = new Map(before.tasks.map((task) => [task.pid, task]));
  const { added, gone } = diffLists(before.tasks, after.tasks, ({ pid }) => String(pid));
  const both = after.tasks.filter(({ pid }) => earlier.has(pid));
  const changed = both.flatMap((task) => {
    const changes = taskChanges(earlier.get(task.pid) ?? task, task);
    return changes.length === 0 ? [] : [asProcess(task, changes)];
  });
  return {
    added: added.map((task) => asProcess(task)),
    gone: gone.map((task) => asProcess(task)),
    changed,
    same: both.map(({ pid }) => pid),
  };
}

function taskChanges(before: TaskReport, after: TaskReport): string[] {
  const facts = (task: TaskReport): Readonly<Record<string, string>> => ({
    state: task.state,
    name: task.name,
    command: task.args.join(' '),
    parent: String(task.parent),
    uid: String(task.uid ?? ''),
    threads: String(task.threads.length),
    program: task.program,
  });
  const [old, now] = [facts(before), facts(after)];
  return Object.entries(now).flatMap(([name, value]) =>
    old[name] === value ? [] : [`${name} ${old[name]} → ${value}`],
  );
}
