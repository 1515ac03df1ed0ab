import { readFileSync } from 'node:fs';
import { isGone } from './live-process.ts';

/** Private memory of a running process, by addresses. */
export interface LiveArea {
  readonly start: number;
  readonly end: number;
  /** Bytes of it that are in memory or swapped out. */
  readonly filled: number;
}

/**
 * Kinds of mappings whose memory CRIU does not dump, or not before the final dump: of devices (io, pf), huge pages (ht,
 * which it takes from no parent), and what the kernel may drop (dp). The names are those of proc_pid_smaps(5).
 */
const SKIPPED_KINDS = new Set(['io', 'pf', 'ht', 'dp']);
/** Mappings that every kernel brings itself. */
const SKIPPED_NAMES = /^\[(?:vdso|vvar|vvar_vclock|vsyscall|uprobes)\]$/;

/**
 * The mappings of a process that have private pages in memory or swapped out, in ascending order; none when it has gone.
 * Reading /proc/PID/smaps walks the page tables once: so reserved address space, of which there may be terabytes, is left
 * out afterwards.
 */
export function liveAreas(pid: number): LiveArea[] {
  const areas: LiveArea[] = [];
  let head: RegExpExecArray | null = null;
  let filled = 0;
  for (const line of smapsOf(pid).split('\n')) {
    const next = /^([0-9a-f]+)-([0-9a-f]+) ...(.) \S+ \S+ \S+ *(.*)$/.exec(line);
    if (next !== null) {
      head = next;
      filled = 0;
    } else if (/^(?:Anonymous|Swap):/.test(line)) {
      filled += Number(/\d+/.exec(line)?.[0] ?? 0);
    } else if (line.startsWith('VmFlags:') && head !== null) {
      const [, start = '', end = '', sharing, name = ''] = head;
      const isSkipped = line.split(' ').some((kind) => SKIPPED_KINDS.has(kind));
      if (sharing !== 'p' || isSkipped || filled === 0 || SKIPPED_NAMES.test(name)) continue;
      areas.push({ start: Number.parseInt(start, 16), end: Number.parseInt(end, 16), filled: filled * 1024 });
    }
  }
  return areas;
}

function smapsOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/smaps`, 'latin1');
  } catch (error) {
    if (isGone(error)) return '';
    throw error;
  }
}
