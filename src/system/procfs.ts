import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { errnoOf } from '../model/errors.ts';

let cachedBootId: string | undefined;

/** The kernel's ID of this boot. */
export function bootId(): string {
  cachedBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return cachedBootId;
}

function readOrUndefined(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ESRCH') return undefined;
    throw error;
  }
}

export interface ProcessStat {
  readonly pid: number;
  readonly name: string;
  /** R, S, D, Z, T … (proc_pid_stat(5)). */
  readonly state: string;
  readonly parent: number;
  /** Clock ticks since boot: with the PID it names one process for the whole uptime. */
  readonly startTime: string;
  /** It was forked and runs its parent's program still: it has executed none itself. */
  readonly isFork: boolean;
}

/** Among a process's flags (kernel include/linux/sched.h). */
const PF_FORKNOEXEC = 0x40;

/** /proc/PID/stat, or undefined when there is no such process. */
export function processStat(pid: number): ProcessStat | undefined {
  const text = readOrUndefined(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  const fields = text.slice(close + 2).split(' ');
  return {
    pid,
    name: text.slice(open + 1, close),
    state: fields[0] ?? '?',
    parent: Number(fields[1]),
    startTime: fields[19] ?? '',
    isFork: (Number(fields[6]) & PF_FORKNOEXEC) !== 0,
  };
}

/** True while this very process lives (not a later one with the same PID, not a zombie). */
export function isAlive(pid: number, startTime: string): boolean {
  if (pid <= 0) return false;
  const stat = processStat(pid);
  return stat !== undefined && stat.startTime === startTime && stat.state !== 'Z' && stat.state !== 'X';
}

/** PIDs of all processes now. */
export const allPids = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

/** The words of a process's command (proc_pid_cmdline(5)); none when it has ended. */
export const commandOf = (pid: number): string[] =>
  (readOrUndefined(`/proc/${pid}/cmdline`) ?? '').split('\0').slice(0, -1);

/** The process and all its descendants, parents first. Best taken while they are frozen; else it may miss new ones. */
export function processTree(root: number): ProcessStat[] {
  const tree: ProcessStat[] = [];
  const pending = [root];
  for (let pid = pending.shift(); pid !== undefined; pid = pending.shift()) {
    const stat = processStat(pid);
    if (stat !== undefined) tree.push(stat);
    const children = childrenOf(pid);
    if (children === undefined) return processTreeOfAll(root);
    pending.push(...children);
  }
  return tree;
}

/**
 * PIDs of the children of all threads of a process, empty when it has ended (proc_pid_task(5), children); undefined where
 * the kernel has no such file (CONFIG_PROC_CHILDREN).
 */
function childrenOf(pid: number): number[] | undefined {
  const found: number[] = [];
  for (const thread of threadsOf(pid)) {
    const text = readOrUndefined(`/proc/${pid}/task/${thread}/children`);
    if (text !== undefined) found.push(...text.split(' ').filter(Boolean).map(Number));
    else if (existsSync(`/proc/${pid}/task/${thread}/stat`)) return undefined;
  }
  return found;
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return [];
    throw error;
  }
}

/** The same from the parents of all processes of the host, which costs more the more there are. */
export function processTreeOfAll(root: number): ProcessStat[] {
  const stats = allPids().flatMap((pid) => processStat(pid) ?? []);
  const tree = stats.filter((stat) => stat.pid === root);
  for (let i = 0; i < tree.length; i += 1) {
    const parent = tree[i]?.pid;
    tree.push(...stats.filter((stat) => stat.parent === parent && stat.pid !== root));
  }
  return tree;
}

/** Effective capabilities of this process as a bit mask (proc_pid_status(5), CapEff). */
export function effectiveCapabilities(): bigint {
  const match = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return BigInt(`0x${match?.[1] ?? '0'}`);
}

/** Bit number of CAP_SYS_RESOURCE (capability.h). */
export const CAP_SYS_RESOURCE = 24n;

export const hasCapability = (bit: bigint): boolean => (effectiveCapabilities() & (1n << bit)) !== 0n;

/**
 * Processes whose command name fits `name` and that work on something at or below `path`: it stands in their arguments, is
 * a file that they have open, or their directory. Reads the descriptors of fitting processes only.
 */
export const processesWorkingOn = (path: string, name: RegExp): ProcessStat[] =>
  allPids()
    .flatMap((pid) => processStat(pid) ?? [])
    .filter((stat) => name.test(stat.name) && (mentions(stat.pid, path) || standsOn(stat.pid, path)));

const mentions = (pid: number, path: string): boolean => commandOf(pid).some((word) => word.includes(path));

function standsOn(pid: number, path: string): boolean {
  try {
    const open = readdirSync(`/proc/${pid}/fd`).map((fd) => `fd/${fd}`);
    // A program that has just been started has opened nothing yet.
    return ['cwd', ...open].some((link) => linkTarget(`/proc/${pid}/${link}`).startsWith(path));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return false;
    throw error;
  }
}

function linkTarget(path: string): string {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return '';
    throw error;
  }
}

/** The number that a process has in its own PID namespace (proc_pid_status(5), NSpid); undefined when it has ended. */
export function pidInside(pid: number): number | undefined {
  try {
    const numbers = /^NSpid:\s*(.+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]?.split('\t');
    return Number(numbers?.at(-1) ?? pid);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return undefined;
    throw error;
  }
}

/** A process and all below it, by their PIDs here and those that they have in their own PID namespace. */
export const insideTree = (root: number): { readonly hostPid: number; readonly pid: number }[] =>
  processTree(root).flatMap(({ pid: hostPid }) => {
    const pid = pidInside(hostPid);
    return pid === undefined ? [] : [{ hostPid, pid }];
  });
