import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { errnoOf } from '../model/errors.ts';
import { run } from '../system/process.ts';
import { type ProcessStat, processStat, processTree } from '../system/procfs.ts';

/** Something that a process has and CRIU cannot save, or only with an option. */
export interface ProcessObstacle {
  readonly kind: 'io_uring' | 'lock' | 'traced' | 'stopped' | 'terminal';
  readonly pid: number;
  readonly process: string;
  /** The descriptor's number, the kind of lock, or the tracer. */
  readonly detail: string;
}

/**
 * What of the processes below `initPid` stands in the way of a dump, found by reading /proc while they run. Cheap: one
 * look at each descriptor. Not complete, since they go on meanwhile: CRIU has the last word.
 */
export function processObstacles(initPid: number): ProcessObstacle[] {
  const tree = processTree(initPid);
  const locks = lockHolders();
  const ownTerminals = look(() => statSync(`/proc/${initPid}/root/dev/pts`).dev, undefined);
  return tree.flatMap(({ pid, name, state }) => [
    ...(state === 'T' ? [{ kind: 'stopped', pid, process: name, detail: '' } as const] : []),
    ...descriptors(pid).flatMap((descriptor) => descriptorObstacles(pid, name, descriptor, ownTerminals)),
    ...(locks.get(pid) ?? []).map((detail) => ({ kind: 'lock', pid, process: name, detail }) as const),
    ...tracer(pid, name),
  ]);
}

const vanished = (error: unknown): boolean => ['ENOENT', 'ESRCH'].includes(errnoOf(error) ?? '');

/** Runs a look at /proc; a process that ends meanwhile has nothing. */
function look<T>(work: () => T, nothing: T): T {
  try {
    return work();
  } catch (error) {
    if (vanished(error)) return nothing;
    throw error;
  }
}

/** Descriptor numbers of a process with what they point to. */
function descriptors(pid: number): [string, string][] {
  return look(
    () =>
      readdirSync(`/proc/${pid}/fd`).map((fd): [string, string] => [
        fd,
        look(() => readlinkSync(`/proc/${pid}/fd/${fd}`), ''),
      ]),
    [],
  );
}

function descriptorObstacles(
  pid: number,
  process: string,
  [fd, target]: readonly [string, string],
  ownTerminals: number | undefined,
): ProcessObstacle[] {
  if (target === 'anon_inode:[io_uring]') return [{ kind: 'io_uring', pid, process, detail: fd }];
  // Only paths can be terminals; sockets and pipes have none.
  if (!target.startsWith('/')) return [];
  const file = look(() => statSync(`/proc/${pid}/fd/${fd}`), undefined);
  if (file === undefined || !isTerminal(file.rdev) || file.dev === ownTerminals) return [];
  return [{ kind: 'terminal', pid, process, detail: target }];
}

/** Major numbers 136 to 143 are the slaves of pseudo-terminals (Linux devices.txt); the encoding is that of gnu_dev_major(3). */
function isTerminal(device: number): boolean {
  const major = (device >> 8) & 0xfff;
  return major >= 136 && major <= 143;
}

/** proc_pid_status(5), TracerPid. */
function tracer(pid: number, process: string): ProcessObstacle[] {
  const status = look(() => readFileSync(`/proc/${pid}/status`, 'utf8'), '');
  const by = Number(/^TracerPid:\s*(\d+)$/m.exec(status)?.[1] ?? 0);
  if (by === 0) return [];
  return [{ kind: 'traced', pid, process, detail: `process ${by} (${processStat(by)?.name ?? 'unknown'})` }];
}

/** proc_locks(5): kinds of locks by the PID that holds them; waiters (`->`) and locks of open file descriptions have none. */
function lockHolders(): Map<number, string[]> {
  const holders = new Map<number, string[]>();
  for (const line of readFileSync('/proc/locks', 'utf8').split('\n')) {
    const match = /^\d+: (FLOCK|POSIX)\s+\S+\s+\S+\s+(\d+) /.exec(line);
    if (match === null) continue;
    const pid = Number(match[2]);
    holders.set(pid, [...(holders.get(pid) ?? []), match[1] ?? '']);
  }
  return holders;
}

/** A unix socket whose other end lies outside the container. */
export interface ExternalSocket {
  readonly pid: number;
  readonly process: string;
  readonly fd: string;
}

/**
 * The connected unix sockets of the processes below `initPid` whose peer none of them has. Runs ss(8) in their network
 * namespace: for explaining a failure, not for every checkpoint.
 */
export async function externalUnixSockets(initPid: number): Promise<ExternalSocket[]> {
  const owners = new Map<string, ExternalSocket>();
  for (const { pid, name } of processTree(initPid)) {
    for (const [fd, target] of descriptors(pid)) {
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode !== undefined && !owners.has(inode)) owners.set(inode, { pid, process: name, fd });
    }
  }
  const { stdout } = await run(['nsenter', `--net=/proc/${initPid}/ns/net`, '--', 'ss', '-x', '-H', '-n']);
  return stdout.split('\n').flatMap((line) => {
    // Netid State Recv-Q Send-Q LocalAddress Inode PeerAddress PeerInode
    const fields = line.trim().split(/\s+/);
    const owner = owners.get(fields[5] ?? '');
    const peer = fields[7] ?? '0';
    return owner !== undefined && !owners.has(peer) ? [owner] : [];
  });
}

/** Names of the processes below `initPid` by PID, taken while they live. */
export const processNames = (initPid: number): Map<number, string> =>
  new Map(processTree(initPid).map(({ pid, name }: ProcessStat) => [pid, name]));
