import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What one cgroup above this process may use of memory and uses, in bytes. */
export interface CgroupMemory {
  /** Infinity where it has no limit. */
  readonly limit: number;
  readonly used: number;
  /** Of what is used: file pages that nobody has touched lately, which the kernel gives back first. */
  readonly inactiveFile: number;
}

/** What the kernel says of memory, in bytes. */
export interface MemoryFacts {
  readonly total: number;
  /** What programs can have without swapping (proc_meminfo(5), MemAvailable). */
  readonly available: number;
  /** Of this process and all its parents, in any order. */
  readonly cgroups: readonly CgroupMemory[];
}

const MIB = 1 << 20;
/** Of each limit, this part stays free for everybody else, and never less than so many bytes. */
const MARGIN_PART = 0.1;
const MARGIN_OF_HOST = 256 * MIB;
const MARGIN_OF_CGROUP = 64 * MIB;

/**
 * Bytes that may be staged in memory (tmpfs, memfd) so that neither the host nor a cgroup that cryopod runs in has to swap
 * or to end a process. 0: nothing may. What is staged counts for whoever writes it: CRIU, zstd and the like are in
 * cryopod's cgroup. What others take meanwhile is what the margin is for.
 */
export function memoryForStaging({ total, available, cgroups }: MemoryFacts): number {
  const ofHost = available - Math.max(total * MARGIN_PART, MARGIN_OF_HOST);
  const ofCgroups = cgroups
    .filter(({ limit }) => limit < total)
    .map(
      ({ limit, used, inactiveFile }) =>
        limit - (used - inactiveFile) - Math.max(limit * MARGIN_PART, MARGIN_OF_CGROUP),
    );
  return Math.max(0, Math.floor(Math.min(ofHost, ...ofCgroups)));
}

/** Where {@link readMemoryFacts} looks; tests have other places. */
export interface MemoryPlaces {
  readonly meminfo: string;
  /** Tells the cgroups of a process (cgroups(7), /proc/[pid]/cgroup). */
  readonly membership: string;
  readonly cgroups: string;
}

const PLACES: MemoryPlaces = {
  meminfo: '/proc/meminfo',
  membership: '/proc/self/cgroup',
  cgroups: '/sys/fs/cgroup',
};

/** Reads what {@link memoryForStaging} judges. A host without MemAvailable (before Linux 3.14) has nothing to spare. */
export function readMemoryFacts(places: MemoryPlaces = PLACES): MemoryFacts {
  const meminfo = readFileSync(places.meminfo, 'utf8');
  const bytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(meminfo)?.[1] ?? 0) * 1024;
  return { total: bytes('MemTotal'), available: bytes('MemAvailable'), cgroups: cgroupsOf(places) };
}

/** Names of the files of one version of cgroups (Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst). */
interface Version {
  readonly line: RegExp;
  readonly hierarchies: readonly string[];
  readonly limit: string;
  readonly used: string;
  readonly inactiveFile: RegExp;
}

const VERSIONS: readonly Version[] = [
  {
    line: /^0::(\/.*)$/m,
    // The only hierarchy, or on a hybrid host the one beside those of version 1.
    hierarchies: ['', 'unified'],
    limit: 'memory.max',
    used: 'memory.current',
    inactiveFile: /^inactive_file (\d+)$/m,
  },
  {
    line: /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m,
    hierarchies: ['memory'],
    limit: 'memory.limit_in_bytes',
    used: 'memory.usage_in_bytes',
    inactiveFile: /^total_inactive_file (\d+)$/m,
  },
];

function cgroupsOf({ membership, cgroups }: MemoryPlaces): CgroupMemory[] {
  const own = readFileSync(membership, 'utf8');
  return VERSIONS.flatMap((version) => {
    const path = version.line.exec(own)?.[1];
    if (path === undefined) return [];
    return version.hierarchies.flatMap((hierarchy) => upwards(join(cgroups, hierarchy), path, version));
  });
}

/** The limits of a cgroup and all above it; roots, and hierarchies without the controller, have none. */
function upwards(root: string, path: string, version: Version): CgroupMemory[] {
  const found: CgroupMemory[] = [];
  for (let at = join('/', path); ; at = dirname(at)) {
    const directory = join(root, at);
    if (existsSync(join(directory, version.limit))) found.push(memoryOf(directory, version));
    if (at === '/') return found;
  }
}

function memoryOf(directory: string, { limit, used, inactiveFile }: Version): CgroupMemory {
  const text = (name: string): string => readFileSync(join(directory, name), 'utf8').trim();
  const max = text(limit);
  return {
    limit: max === 'max' ? Number.POSITIVE_INFINITY : Number(max),
    used: Number(text(used)),
    inactiveFile: Number(inactiveFile.exec(text('memory.stat'))?.[1] ?? 0),
  };
}
